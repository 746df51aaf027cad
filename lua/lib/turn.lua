-- What only `advance` knows: when a request may run, whose turn it is to take work, and how the reply is made.
-- Needs: call, time, groups, session, fetch, guard-errors.

local RESYNC, LOST = 1, 2

-- Reads the session, as far as it has not been `read`. Answers why the request may not run, or nil.
function lib.notItsTurn(group, session, epoch, number, read)
  if read.alive == false or read.alive == nil and not lib.isAlive(group, session) then return LOST end
  local known = lib.fieldsOf(read.session or call('HMGET', session.key, unpack(SESSION)), SESSION)
  if known.epoch ~= epoch or tonumber(known.n) + 1 ~= number then return RESYNC end
  session.lease, session.leaseMs = tonumber(known.lease), tonumber(known.ttl)
  session.solo, session.closing = tonumber(known.solo), known.closing
  session.unseen = known.unseen and known.unseen ~= ''
  -- After a sync in another name: a server that was rolled back gives the numbers out again that its destinations may have seen.
  author.producer, author.session = epoch == '0' and session.id or session.id .. '~' .. epoch, session.key
  endingGroup = group
  return nil
end

-- Whether what is taken must be looked up in marks and watches (lib/heed).
function lib.lookForMarks(group, state)
  group.marks = tonumber(state.marks or 0) + lib.counting(group.state, 'marks')
  group.watching = tonumber(state.watching or 0)
  group.isMarked = group.marks > 0 or group.watching > 0
end

function lib.renew(group, session, state)
  call('ZADD', group.G .. 'sessions', 'XX', now + session.leaseMs, session.id)
  return lib.hear(group, state.heard, session.leaseMs) or state.graceUntil
end

function lib.leaseNumbers(...)
  local numbers = {}
  for i = 1, select('#', ...) do
    for _, item in ipairs(select(i, ...) or {}) do numbers[#numbers + 1] = item.lease end
  end
  return numbers
end

function lib.endSolo(session, freed)
  for _, number in ipairs(freed) do
    if number == session.solo then
      session.solo = nil
      call('HDEL', session.key, 'solo')
    end
  end
end

-- A drainer asks for nothing until it has run dry. It is told when that is in vain: others took the suspects. One that has run dry and still wants
-- nothing does not stand in the way of others.
function lib.keepDraining(group, session, turn)
  turn.drain = not session.closing and call('EXISTS', session.leases) == 1 and call('EXISTS', group.G .. 'suspects') == 1
  if turn.drain then return end
  call('HDEL', group.state, 'drainer')
  group.wake = true
end

-- { want, waits: whether it may wait for work, solo, drain }
function lib.chooseTurn(group, session, state, want)
  local turn = { want = want, waits = want > 0 }
  if session.closing or session.solo or want == 0 then
    turn.want, turn.waits = 0, false
    if state.drainer == session.id then lib.keepDraining(group, session, turn) end
  elseif state.paused then
    turn.want = 0
  elseif call('EXISTS', group.G .. 'suspects') == 1 then
    --@include lib/suspects-turn
    lib.suspectsTurn(group, session, state, turn)
  elseif state.drainer == session.id then
    call('HDEL', group.state, 'drainer')
  end
  return turn
end

function lib.concludeRequest(group, session, number)
  if session.closing and call('EXISTS', session.leases) == 0 then
    --@include lib/remove-session
    lib.removeSession(group, session)
    return lib.wakeMarked()
  end
  local fields = { 'lease', session.lease, 'n', number }
  if session.solo then fields[5], fields[6] = 'solo', session.solo end
  if session.unseen then fields[#fields + 1], fields[#fields + 2] = 'unseen', '' end
  call('HSET', session.key, unpack(fields))
end

function lib.flagsOf(set)
  return (set.more and 1 or 0) + (set.paused and 2 or 0) + (set.drain and 4 or 0) + (set.solo and 8 or 0) + (set.outbox and 16 or 0) + (set.gone and 32 or 0)
    + (set.watched and 64 or 0) + (set.limited and 128 or 0)
end

function lib.advanceReply(dueMs, session, flags, taken, recovered, refused, failures, skips)
  local ranges = {}
  for _, item in ipairs(taken) do ranges[#ranges + 1], ranges[#ranges + 2] = item.text, item.value end
  local rare = {}
  if #recovered + #refused + #failures + #skips + #guardErrors > 0 then
    rare = { recovered, refused, failures, skips, guardErrors }
  end
  return { now, dueMs, session.lease, flags, ranges, rare }
end
