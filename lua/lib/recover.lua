-- Recovery of sessions whose lease ended, by whoever renews or opens. First the fence: a session moved from `sessions` to `expired` can settle
-- nothing any more. Then its leases are released from the last to the first, so that the head of `ready` ends in their order, a bounded
-- number at a call; whoever comes next goes on.
-- The messages that were probably running, the first `concurrency` in lease order, count an attempt and a crash.
-- Needs: call, time, counts, range, finish, session.

--@include lib/ready
--@include lib/leases-of
--@include lib/unfinished-parts
--@include lib/rehome
--@include lib/failures
--@include lib/remove-session
--@include lib/returned

local MOST_FENCED, MOST_RELEASED = 10, 100

function lib.fence(group, self)
  local over = call('ZRANGEBYSCORE', group.G .. 'sessions', '-inf', now, 'LIMIT', 0, MOST_FENCED)
  for _, id in ipairs(over) do
    if id ~= self then
      call('RPUSH', group.G .. 'expired', id)
      call('ZREM', group.G .. 'sessions', id)
      call('ZREM', group.G .. 'waiting', id)
    end
  end
  return #over == MOST_FENCED
end

-- One message that was running goes on under its own name: to the suspects, or at its last crash to the dead letters.
function lib.convict(group, told, range, index, released)
  local id = lib.rehome(range, index)
  range = lib.oneOf(range, index)
  if told.closing then
    -- Left alone until it ended by itself, which it did not: an attempt, but nobody's crash.
    local left = '{"message":"its lease ended before it did"}'
    local attempts = lib.recordFailure(group, id, 1, 0, '-', left)
    if lib.watchers then lib.watchers.failed(group, id, attempts, now, left) end
    released.ready[#released.ready + 1] = lib.loneRange(id, range.traits)
    released.count = released.count + 1
    return
  end
  released.crashed = released.crashed + 1
  local problem = '{"message":"its session ended while it ran"}'
  local _, crashes = lib.failureOf(group, id)
  if crashes + 1 < tonumber(told.maxCrashes or 3) then
    local attempts = lib.recordFailure(group, id, 1, 1, '-', problem)
    if lib.watchers then lib.watchers.failed(group, id, attempts, now, problem) end
    released.suspects[#released.suspects + 1] = lib.loneRange(id, range.traits)
  else
    lib.recordFailure(group, id, 1, 1, 'crashes', problem)
    lib.bury(group, id, problem, range)
    released.dead = released.dead + 1
  end
end

-- From its last message to its first: what had not started, then what was running.
function lib.releaseLease(group, told, lease, released)
  local range = lease.range
  local parts = lib.unfinishedParts(range, range.from, range.count)
  local unstarted = lease.open - lease.running
  for i = #parts, 1, -1 do
    local from, n = parts[i][1], parts[i][2]
    local spare = math.min(unstarted, n)
    if spare > 0 then
      lib.addReturned(released.ready, range, from + n - spare, spare, true)
      released.count = released.count + spare
      unstarted = unstarted - spare
    end
    for index = from + n - spare - 1, from, -1 do lib.convict(group, told, range, index, released) end
  end
  lib.count(group.state, 'inFlight', -lease.open)
end

-- Releases leases of one expired session; answers whether all are, and what is left of the budget.
function lib.releaseSession(group, session, budget, tally)
  local told = lib.readFields(session.key, 'concurrency', 'maxCrashes', 'closing', 'unseen')
  local leases = lib.leasesOf(session)
  lib.findRunning(leases, told.closing and math.huge or tonumber(told.concurrency or 1), told.unseen)
  local released, freed = { ready = {}, count = 0, suspects = {}, crashed = 0, dead = 0 }, {}
  for i = #leases, 1, -1 do
    if budget <= 0 then break end
    lib.releaseLease(group, told, leases[i], released)
    freed[#freed + 1] = leases[i].number
    budget = budget - 1 - (leases[i].range.listed and leases[i].open or leases[i].running)
  end
  lib.callWith('HDEL', session.leases, freed)
  lib.makeReady(group, lib.reversed(released.ready), released.count, true, 'returned')
  lib.makeSuspect(group, lib.reversed(released.suspects))
  tally.ranges, tally.crashed, tally.dead = tally.ranges + #freed, tally.crashed + released.crashed, tally.dead + released.dead
  return #freed == #leases, budget - 1
end

-- Answers { ranges, crashed, dead, more }, or an empty table if there was nothing to recover.
function lib.recover(group, self, graceUntil)
  local fencedAll = now < tonumber(graceUntil or 0) or not lib.fence(group, self)
  local budget, sessions = MOST_RELEASED, 0
  local tally = { ranges = 0, crashed = 0, dead = 0 }
  while budget > 0 do
    local id = call('LINDEX', group.G .. 'expired', 0)
    if not id then break end
    sessions = sessions + 1
    local session, done = lib.sessionOf(group, id), nil
    done, budget = lib.releaseSession(group, session, budget, tally)
    if done then
      lib.removeSession(group, session)
      call('LPOP', group.G .. 'expired')
    end
  end
  if sessions == 0 then return {} end
  local more = not fencedAll or call('EXISTS', group.G .. 'expired') == 1
  return { tally.ranges, tally.crashed, tally.dead, more and 1 or 0 }
end
