-- Counts of a topic and its groups, all kept as they change.
--
-- KEYS  meta, never
-- Returns { now, scheduled, unclaimed, outbox, { name, group@generation, ready, in flight, retrying, held, dead, paused, consumers, oldest ready in ms }, ... }
-- Keeps  nothing is changed.
-- Cost  3 commands, and 4 per group.

--@include lib/call
--@include lib/time
--@include lib/range
--@include lib/groups
--@include lib/batch-time

local meta = lib.readFields(P .. 'meta', 'scheduled', 'unclaimed', 'outbox')
local reply = { now, tonumber(meta.scheduled or 0), tonumber(meta.unclaimed or 0), tonumber(meta.outbox or 0) }
for _, group in ipairs(lib.allGroups()) do
  local state = lib.readFields(group.state, 'ready', 'inFlight', 'retrying', 'held', 'dead', 'paused')
  local head = call('LINDEX', group.G .. 'ready', 0)
  local since = head and lib.batchTime(lib.parseRange(head))
  reply[#reply + 1] = {
    lib.groupName(group), group.ref,
    tonumber(state.ready or 0), tonumber(state.inFlight or 0), tonumber(state.retrying or 0), tonumber(state.held or 0),
    tonumber(state.dead or 0), state.paused and 1 or 0,
    call('ZCOUNT', group.G .. 'sessions', now, '+inf'),
    since and math.max(0, now - since) or 0,
  }
end
return reply
