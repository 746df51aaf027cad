-- Ends what no group has yet, a bounded number at a call: what is put off, or what was published before there was any group. The first call takes it from
-- sight, so what comes meanwhile stays.
--
-- KEYS  meta, never
-- ARGV  1 what (`scheduled` or `unclaimed`), or '' to go on with what was taken from sight  2 limit  3 producer for reports
-- Returns { ended, more (0 or 1) }
-- Keeps  everything ends by `finish`, so nobody waits for it in vain.
-- Died or reply lost right after: sent again, it goes on with what is left, and what came since.
-- Cost  bounded by the limit: about 25 commands, and 3 per page of 100 ranges.

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

local what, limit = ARGV[1], math.min(tonumber(ARGV[2]), 1000)
author.producer = ARGV[3]

if what ~= '' and tonumber(call('HGET', P .. 'meta', what) or 0) > 0 then
  --@include lib/detach
  if what == 'scheduled' then lib.detachScheduled('purged') else lib.detachUnclaimed('purged') end
end
local ended, more = lib.goOnWith(limit, function(ref) return string.byte(ref) == 64 end) -- `@`: without a name
if call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end
return { ended, more and 1 or 0 }
