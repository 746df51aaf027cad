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
--@include lib/purge
--@include lib/pass-keys
--@include lib/watching

local name, limit = ARGV[1], math.min(tonumber(ARGV[2]), 1000)
author.producer = ARGV[3]

-- 1. The removal under way, or a new one.
local ref = call('HGET', P .. 'removing', name)
if not ref then
  local group = lib.findGroup(name)
  if not group then return { 0, 0 } end
  ref = group.ref
  call('HSET', P .. 'removing', name, ref)
  call('HDEL', P .. 'groups', name)
  local sessions = call('ZRANGE', group.G .. 'sessions', 0, -1)
  lib.callWith('RPUSH', group.G .. 'expired', sessions)
  call('DEL', group.G .. 'sessions', group.G .. 'waiting')
end
local group = lib.groupOf(ref)
endingGroup = group

-- 2. End what it has.
local function endLeases(room)
  local id = call('LINDEX', group.G .. 'expired', 0)
  if not id then return 0, false end
  local session, freed, ranges, messages = lib.sessionOf(group, id), {}, {}, 0
  local flat = call('HGETALL', session.leases)
  for i = 1, #flat, 2 do
    if messages >= room then break end
    freed[#freed + 1], ranges[#ranges + 1] = flat[i], lib.parseRange(flat[i + 1])
    messages = messages + ranges[#ranges].count
  end
  lib.callWith('HDEL', session.leases, freed)
  if 2 * #freed == #flat then
    call('DEL', session.key)
    call('ZREM', group.G .. 'roster', id)
    call('LPOP', group.G .. 'expired')
  end
  local ended = lib.finishAll(group, ranges, 'removed')
  lib.count(group.state, 'inFlight', -ended)
  return ended, true
end

local ended, left = 0, false
local function keepOn(step)
  while ended < limit do
    local n, again = step(limit - ended)
    ended = ended + n
    lib.passKeys(group)
    if n == 0 and not again then return end
  end
  left = true
end
keepOn(endLeases)
keepOn(function(room) return lib.purgeLines(group, room, 'removed') end)
keepOn(function(room) return lib.purgeList(group, group.G .. 'ready', room, 'removed') end)
keepOn(function(room) return lib.purgePrioritized(group, room, 'removed') end)
keepOn(function(room) return lib.purgeList(group, group.G .. 'suspects', room, 'removed') end)
keepOn(function(room) return lib.purgeRetries(group, room, 'removed') end)
keepOn(function(room) return lib.purgeDead(group, room) end)
lib.writeFinished()
lib.writeCounts()
if lib.watchers then lib.watchers.tell() end

-- 3. Nothing is left of it.
if not left then
  local G = group.G
  call('DEL', G .. 'ready', G .. 'priority', G .. 'keys', G .. 'lines', G .. 'dead:traits', G .. 'suspects', G .. 'retry', G .. 'retrying', G .. 'dead', G .. 'failures', G .. 'done', G .. 'expired', group.state)
  call('HDEL', P .. 'removing', name)
end
return { ended, left and 1 or 0 }
