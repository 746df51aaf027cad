-- Counts of a topic and its groups, all kept as they change.
--
-- KEYS  meta, never
-- Returns { now, scheduled, unclaimed, outbox, retained, { name, group@generation, ready, in flight, retrying, held, dead, paused, consumers, oldest ready in ms, limit or 0, still to be replayed }, ... }
-- Keeps  nothing is changed.
-- Cost  3 commands, and 4 per group; 2 more where messages with a priority wait, up to 11 more where messages ended in the list, 1 more where messages are or
--       were retained, 1 while a group is behind.

--@include lib/call
--@include lib/time
--@include lib/range
--@include lib/groups
--@include lib/batch-time

local MOST_STALE = 10 -- that ended in the list, ahead of the one that waits longest

local meta = lib.readFields(P .. 'meta', 'scheduled', 'unclaimed', 'outbox', 'unclaimedStale', 'logEnd')
local logEnd = tonumber(meta.logEnd or 0)
local logStart = logEnd > 0 and tonumber(call('ZRANGE', P .. 'log', 0, 0, 'WITHSCORES')[2]) or logEnd

-- What the log has between a group's cursor and its end.
local function toReplay(state)
  return math.max(0, tonumber(state.cursorEnd or 0) - math.max(logStart, tonumber(state.cursor or 0)))
end

local unclaimed = tonumber(meta.unclaimed or 0) - tonumber(meta.unclaimedStale or 0)
local reply = { now, tonumber(meta.scheduled or 0), unclaimed, tonumber(meta.outbox or 0), logEnd - logStart }
for _, group in ipairs(lib.allGroups()) do
  local state = lib.readFields(group.state, 'ready', 'inFlight', 'retrying', 'held', 'dead', 'paused', 'prioritized', 'limit', 'stale', 'behind', 'cursor', 'cursorEnd')
  local head = call('LINDEX', group.G .. 'ready', 0)
  if not head and state.behind then head = call('LINDEX', group.G .. 'later', 0) end
  local since = head and lib.batchTime(lib.parseRange(head))
  if tonumber(state.stale or 0) > 0 and not since then
    for _, text in ipairs(call('LRANGE', group.G .. 'ready', 1, MOST_STALE)) do since = since or lib.batchTime(lib.parseRange(text)) end
  end
  if tonumber(state.prioritized or 0) > 0 then
    -- The lowest priority waits longest.
    local lowest = call('ZRANGE', group.G .. 'priority', -1, -1)[1]
    local time = lowest and lib.batchTime(lib.parseRange(lib.memberRange(lowest)))
    if time and (not since or time < since) then since = time end
  end
  reply[#reply + 1] = {
    lib.groupName(group), group.ref,
    tonumber(state.ready or 0) - tonumber(state.stale or 0), tonumber(state.inFlight or 0), tonumber(state.retrying or 0), tonumber(state.held or 0),
    tonumber(state.dead or 0), state.paused and 1 or 0,
    call('ZCOUNT', group.G .. 'sessions', now, '+inf'),
    since and math.max(0, now - since) or 0,
    tonumber(state.limit or 0),
    state.behind and toReplay(state) or 0,
  }
end
return reply
