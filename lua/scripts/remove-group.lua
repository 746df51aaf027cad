-- Removes a group in steps. The first hides it and fences its sessions off: from there on they are lost, and a group of that name is a new one.
-- Each step then ends a bounded number of its messages; the last deletes its keys.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit  3 producer for reports
-- Returns { ended, more (0 or 1) }
-- Keeps  all that the group had ends by `finish`; a removal that began is carried through before another of that name begins.
-- Died or reply lost right after: sent again, it goes on. After its last step it would remove the group's successor, if somebody made one.
-- Cost  bounded by the limit: about 15 commands, 3 per page of 100 ranges, 3 per session.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/batch-time
--@include lib/removal
--@include lib/watching

local name, limit = ARGV[1], math.min(tonumber(ARGV[2]), 1000)
author.producer = ARGV[3]

local underWay = call('HGET', P .. 'removing', name)
if not underWay then
  local group = lib.findGroup(name)
  if not group then return { 0, 0 } end
  lib.beginRemoval(group, name)
  call('HDEL', P .. 'groups', name)
  underWay = group.ref
end
local ended, more = lib.goOnRemoving(name, underWay, limit)
if call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end
return { ended, more and 1 or 0 }
