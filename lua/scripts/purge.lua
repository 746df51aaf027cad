-- Ends what waits in a group, or its dead letters, a bounded number at a call.
--
-- KEYS  meta, never
-- ARGV  1 group  2 what (`waiting`: ready, prioritized, suspects and retries; `dead`)  3 limit  4 producer for reports  5 until (ms) or ''
-- Returns { purged, more (0 or 1) }. `until` is the time of publishing, or of death: what is younger stays.
-- Keeps  everything ends by `finish`, so nobody waits for it in vain; other groups keep theirs.
-- Died or reply lost right after: sent again, with a fresh producer, it goes on.
-- Cost  bounded by the limit: about 10 commands and 3 per page of 100 ranges; 1 per range with `until`.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/author
--@include lib/finish
--@include lib/batch-time
--@include lib/purge
--@include lib/pass-keys
--@include lib/watching

local group = lib.findGroup(ARGV[1])
if not group then return { 0, 0 } end
local limit, untilMs = math.min(tonumber(ARGV[3]), 1000), tonumber(ARGV[5])
author.producer, endingGroup = ARGV[4], group

local taken, purged, more = 0, 0, false
local function keepOn(step)
  while taken < limit do
    local n, ended = step(limit - taken)
    if n == 0 then return end
    taken, purged = taken + n, purged + ended
    lib.passKeys(group)
  end
  more = true
end

if ARGV[2] == 'dead' then
  keepOn(function(room) return lib.purgeDead(group, room, untilMs) end)
else
  keepOn(function(room) return lib.purgeLines(group, room, 'purged', untilMs) end)
  keepOn(function(room) return lib.purgeList(group, group.G .. 'ready', room, 'purged', untilMs) end)
  keepOn(function(room) return lib.purgePrioritized(group, room, 'purged', untilMs) end)
  keepOn(function(room) return lib.purgeList(group, group.G .. 'suspects', room, 'purged', untilMs) end)
  keepOn(function(room) return lib.purgeRetries(group, room, 'purged', untilMs) end)
  keepOn(function(room) return lib.purgeLater(group, room, 'purged', untilMs) end)
  local replay = lib.readFields(group.state, 'behind', 'cursorEnd')
  -- What it has still to replay waits as well.
  if replay.behind and replay.cursorEnd and not untilMs then call('HSET', group.state, 'cursor', replay.cursorEnd) end
end
lib.writeFinished()
lib.writeCounts()
if call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end
return { purged, more and 1 or 0 }
