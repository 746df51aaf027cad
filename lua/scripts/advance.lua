-- One request of a consumer session: settles what its client has done and takes what it has room for. The hot call of a consumer.
--
-- KEYS  meta, never
-- ARGV  1 group  2 session  3 epoch  4 number  5 want  6 wantBytes  7 renew (0 or 1)  8 acks  9 releases (`5,6:3:2`)  10 settles
--       and only if there are settles or fetch guards: 11, 12 keys of fetch and settle guards (JSON)  13 fetch guard calls (`<guard> <n>;...`),
--       their arguments; then per settle: outcome, lease, index, and by outcome
--         done   result, number of staged publishes, each: topic, marks, own id, batch, guard keys, guard calls, their arguments
--         retry  delay, counted, error      dead   reason, error
--       and its guard calls, their arguments
-- Returns 1 (resync: another number or epoch was expected), 2 (lost: the session is not alive), or
--       { now, due in ms or -1, last lease, flags, { range, value, ... }, rare }; flags: 1 more, 2 paused, 4 drain, 8 solo, 16 outbox,
--       32 gone (all that was taken had expired, or ended before, or guards knew it), 64 watched, 128 limited (the group has a limit);
--       rare, empty if all of it is: { recovered, refused leases, failures, skips, guard errors }
-- Keeps  a request runs once, in its turn, and only while its session lives; a message is leased to one session; counts equal what lists
--       and leases hold; takable work that remains has somebody on the way to it.
-- Died or reply lost right after: all of it happened. The client syncs, learns the last request applied, and what it was given.
-- Cost  for 128 acked and 128 fetched as one batch each, with one group: 22 commands (6 to know the session and group, 8 to settle, 4 to fetch, 4 to
--       wake and conclude); each further whole batch of an ack or fetch: none.
--       With ordering keys 3 more to settle and 1 to fetch, and 4 per key whose line is taken from, or whose next becomes ready. A group that is behind
--       11 more to catch up; renewing, a topic that retains 3, or about 8 to trim.

-- What is read of the session, of its group and of the topic, each by one command.
local SESSION = { 'epoch', 'n', 'lease', 'ttl', 'solo', 'closing', 'unseen' }
local STATE = {
  'ready', 'retrying', 'paused', 'timer', 'timerAt', 'heard', 'graceUntil', 'drainer', 'deadMax', 'deadKeepMs', 'prioritized', 'limit', 'inFlight', 'marks',
  'watching', 'behind', 'later',
}
local META = { 'scheduled', 'outbox', 'watched', 'blocked', 'logEnd' }
-- So many messages that are ready are little to take.
local FEW = 8
local read, groups = {}, nil

-- 0. Does it but ack and ask?
if #ARGV == 10 and ARGV[10] == '0' and ARGV[5] ~= '0' and ARGV[6] ~= '0' and ARGV[7] == '0' and ARGV[9] == ''
  and #ARGV[8] <= 64 and not string.find(ARGV[8], ':', 1, true) then
  --@include lib/advance-plain
end

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
lib.groupsRead = groups
--@include lib/wake
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/lease
--@include lib/fetch
--@include lib/waiting
--@include lib/guard-errors
--@include lib/turn

local group, session = lib.groupOf(ARGV[1]), lib.sessionOf(lib.groupOf(ARGV[1]), ARGV[2])
local number = tonumber(ARGV[4])
local want, wantBytes, renews = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'

-- 1. Is it this request's turn, and is all of it understood? Nothing is written before.
local refusal = lib.notItsTurn(group, session, ARGV[3], number, read)
if refusal then return refusal end
local acks, releases, rare = lib.parseParts(ARGV[8]), lib.parseParts(ARGV[9]), nil
if #ARGV > 10 then
  --@include lib/rare
  local problem
  rare, problem = lib.readRare(tonumber(ARGV[10]))
  if not rare then return redis.error_reply(problem) end
end
local state = lib.fieldsOf(read.state or call('HMGET', group.state, unpack(STATE)), STATE)
group.isBehind = state.behind
local meta = lib.fieldsOf(read.meta or call('HMGET', P .. 'meta', unpack(META)), META)
lib.watched = tonumber(meta.watched or 0) > now
--@include lib/watching
local held = lib.loadLeases(session, lib.leaseNumbers(acks, releases, rare and rare.settles))

-- 2. Renew.
local graceUntil = lib.renew(group, session, state)

-- 3. Settle: acks, releases, single outcomes; with them goes what they published and what plugins record.
local freed, shrunk, refused = {}, {}, {}
lib.settleAcks(group, held, acks, freed, refused)
if #releases > 0 then
  --@include lib/give-back
  lib.giveBack(group, session, held, releases, freed, shrunk, refused)
end
if rare then
  rare.settle(group, held, freed, refused)
  rare.follow(group, session, number)
end
lib.writeLeases(session, held, freed, shrunk)
lib.endSolo(session, freed)

-- 4. If asked, look after the group: recover sessions that ended, trim dead letters.
local recovered = {}
if renews then
  --@include lib/dead-bounds
  --@include lib/recover
  recovered = lib.recover(group, session.id, graceUntil)
  if tonumber(state.watching or 0) > 0 then
    --@include lib/old-watches
    lib.endOldWatches(group)
  end
  lib.trimDead(group, state.deadMax, state.deadKeepMs)
elseif lib.counting(group.state, 'dead') > 0 then
  --@include lib/dead-bounds
  lib.trimDead(group, state.deadMax, state.deadKeepMs)
end
lib.writeFinished()
if renews and meta.logEnd then
  --@include lib/log-trim
  lib.trimLog()
end

-- 5. Promote what is due.
local function retrying() return tonumber(state.retrying or 0) + lib.counting(group.state, 'retrying') end
local function scheduled() return tonumber(meta.scheduled or 0) + lib.counting(P .. 'meta', 'scheduled') end
if retrying() > 0 or scheduled() > 0 then
  --@include lib/promote
  lib.promote(group, retrying() > 0, scheduled() > 0)
end

if group.leaving then
  --@include lib/pass-keys
  lib.passKeys(group)
end

-- 6. Fetch, as marks say: nothing while paused, closing, or running a suspect alone. What has expired, or a guard knows, is left out.
local turn = lib.chooseTurn(group, session, state, wantBytes > 0 and want or 0)
local room = math.max(0, lib.room(group, state))
local clamped, reserved = turn.want > room, 0
if clamped then
  if room > 0 then
    --@include lib/yield
    reserved = lib.yields(group, session) and 1 or 0
  end
  turn.want = room - reserved
  turn.waits = true -- also for a suspect, which has to wait for room like others
end
local limitedMs
if rare and turn.want > 0 then turn.want, limitedMs = rare.allowed(group, turn.want) end
local taken, messages, isBehind = {}, 0, state.behind
if isBehind and turn.want > 0 and not turn.solo then
  --@include lib/catch-up
  isBehind = lib.catchUp(group, turn.want)
end
if turn.want > 0 then lib.lookForMarks(group, state) end
if turn.want > 0 and turn.solo then
  --@include lib/take-suspect
  taken, messages = lib.takeSuspect(group)
elseif turn.want > 0 then
  taken, messages = lib.takeReady(group, turn.want, wantBytes, tonumber(state.prioritized or 0) + lib.counting(group.state, 'prioritized'), state.limit)
end
local skips, passed, gone = {}, false, false
if rare and #taken > 0 and not turn.solo then
  local parked
  taken, parked = rare.park(group, taken)
  messages = messages - parked
  gone = parked > 0 and #taken == 0
end
if #taken > 0 then
  local expiring = lib.anyMayExpire(taken)
  if expiring then
    --@include lib/expiry
    lib.buryExpired(group, state, taken)
  end
  local skipping = rare and rare.skip(group, taken)
  if expiring or skipping or group.isMarked then
    --@include lib/gone
    taken, messages, skips = lib.withoutGone(taken)
  end
  if skipping then rare.fetched(group, taken, messages) end
  passed = turn.solo and #taken == 0 -- the suspect had expired, or ended, or a guard knew it to be done
  if passed then turn.waits = true end
  gone = not passed and #taken == 0
end
local full = turn.want > 0 and messages >= turn.want and not clamped
if group.leaving then
  --@include lib/pass-keys
  lib.passKeys(group)
end
lib.lease(group, session, taken, messages)
if turn.solo and #taken > 0 then session.solo = session.lease end

-- 7. Wait, or leave work to others: whoever leaves takable work wakes one more.
local left = tonumber(state.ready or 0) + lib.counting(group.state, 'ready')
-- Of what it does not see yet the group has at least the next piece.
if isBehind then left = left - tonumber(state.later or 0) - lib.counting(group.state, 'later') + 1 end
local suspects = left > 0 and call('LLEN', group.G .. 'suspects') or 0
local idle = turn.waits and not full
local timerMoved = state.timer == session.id or group.retryDue or #recovered > 0
local due = (idle or timerMoved) and lib.nextDue(group, retrying(), scheduled())
local takable = (left > (passed and 0 or suspects) or due and due <= now) and lib.room(group, state) > reserved and not state.paused and not limitedMs
local waits = idle and not takable and not gone
local wasFull = state.limit and tonumber(state.inFlight or 0) >= tonumber(state.limit)
group.wake = takable or suspects > 0 and (group.wake or turn.solo and not limitedMs or wasFull)
if not waits then
  lib.leave(group, session, state)
  if due and timerMoved then lib.setTimerFor(group, due) end
end
lib.wakeMarked()
local dueMs = limitedMs
if waits then
  lib.join(group, session)
  if due and lib.takeTimer(group, session, state, due) then dueMs = math.min(dueMs or math.huge, math.max(0, due - now)) end
end

-- 8. Write the counts, tell whoever watches and, last, the request's number. A closing session goes with its last lease.
local failures = lib.failuresOf(group, taken)
lib.writeFinished()
lib.writeCounts()
if meta.blocked then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end
lib.concludeRequest(group, session, number)

local flags = lib.flagsOf({
  more = takable and turn.waits,
  paused = state.paused,
  drain = turn.drain,
  solo = session.solo,
  outbox = outboxGrew or renews and tonumber(meta.outbox or 0) > 0,
  gone = gone,
  watched = lib.watched,
  limited = state.limit,
})
return lib.advanceReply(dueMs or -1, session, flags, taken, recovered, refused, failures, skips)
