-- Opens a consumer session: makes its group if need be (the topic's first inherits `unclaimed`) and registers the session with epoch 0 and no
-- request applied.
--
-- KEYS  meta, never
-- ARGV  1 group  2 session  3 lease in ms  4 concurrency  5 maxCrashes  6 info  7 deadMax  8 deadKeepMs
--       9 limit or ''  10 whether its client has had a session before (0 or 1)  11 whether a new group begins with what the topic retains (0 or 1)
--       12 whether it takes messages that are pushed (0 or 1)
-- Returns { now, group@generation ('' if the topic was deleted and not declared since, '-' if it retains nothing to begin with: nothing was done), outbox has entries (0 or 1), recovered ({ ranges, crashed, dead, more } or {}), limited (0 or 1) }
-- Keeps  a session that is known keeps its numbers: opening it again renews it. A limit that was set live stays until somebody comes with another
--       option than the last that came.
-- Died or reply lost right after: the client opens again, or the session ends with its lease, holding nothing.
-- Cost  11 commands, and what recovery finds (see lib/recover).

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/make-group
--@include lib/recover

local leaseMs = tonumber(ARGV[3])
if ARGV[11] == '1' and not lib.findGroup(ARGV[1]) and lib.noted('deleted') == 0 and not lib.retains() then return { now, '-', 0, {}, 0 } end
local group = lib.makeGroup(ARGV[1], ARGV[11] == '1')
if not group then return { now, '', 0, {}, 0 } end
local session = lib.sessionOf(group, ARGV[2])

-- 1. Register.
if not lib.isAlive(group, session) then
  call('HSET', session.key, 'epoch', 0, 'n', 0, 'lease', 0, 'ttl', leaseMs, 'concurrency', ARGV[4], 'maxCrashes', ARGV[5], 'info', ARGV[6], 'pushes', ARGV[12])
end
call('ZADD', group.G .. 'sessions', now + leaseMs, session.id)
call('ZADD', group.G .. 'roster', 0, session.id)
call('HSET', group.state, 'deadMax', ARGV[7], 'deadKeepMs', ARGV[8])

-- 2. Look after the group.
local state = lib.readFields(group.state, 'heard', 'graceUntil', 'limit', 'limitGiven')
local meta = lib.readFields(P .. 'meta', 'outbox', 'watched')
lib.watched = tonumber(meta.watched or 0) > now
--@include lib/watching
if ARGV[9] ~= '' and ARGV[9] ~= state.limitGiven and not (state.limitGiven and ARGV[10] == '1') then
  call('HSET', group.state, 'limit', ARGV[9], 'limitGiven', ARGV[9])
  state.limit = ARGV[9]
  group.wake = true
end
local graceUntil = lib.hear(group, state.heard, leaseMs) or state.graceUntil
author.producer, author.session = session.id, session.key
endingGroup = group
local recovered = lib.recover(group, session.id, graceUntil)
if group.leaving then
  --@include lib/pass-keys
  lib.passKeys(group)
end
lib.writeFinished()
-- Also what died of its last crash has made room.
if state.limit and #recovered > 0 then group.wake = true end
lib.writeCounts()
lib.wakeMarked()
if lib.watchers then lib.watchers.tell() end
return { now, group.ref, (outboxGrew or tonumber(meta.outbox or 0) > 0) and 1 or 0, recovered, state.limit and 1 or 0 }
