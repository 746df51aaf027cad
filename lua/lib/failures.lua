-- What is known of messages that failed: `<attempts> <crashes> <reason or -> <error JSON>`, and where they go for good.
-- Needs: call, time, counts, range, groups.

--@include lib/pending

function lib.failureOf(group, id)
  local record = call('HGET', group.G .. 'failures', id)
  if not record then return 0, 0 end
  local attempts, crashes = string.match(record, '^(%d+) (%d+)')
  return tonumber(attempts), tonumber(crashes)
end

-- Answers attempts and crashes after this one.
function lib.recordFailure(group, id, attempted, crashed, reason, problem)
  local attempts, crashes = lib.failureOf(group, id)
  attempts, crashes = attempts + attempted, crashes + crashed
  call('HSET', group.G .. 'failures', id, attempts .. ' ' .. crashes .. ' ' .. reason .. ' ' .. problem)
  return attempts, crashes
end

-- To the dead letters. This is an end for whoever waits for the message, though it can be redriven.
-- Moments of death rise by fractions of a millisecond, so that dead letters keep the order in which they died.
-- Their traits are kept beside them, for the day they are redriven. `outcome`: what those who wait for it are told, if not `dead`.
function lib.bury(group, id, problem, range, outcome)
  if range.key then
    local leaving = lib.leavingOf(group, range.key)
    leaving.ended = leaving.ended + 1 -- its key goes on
  end
  local dead = group.G .. 'dead'
  local last = tonumber(call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2] or 0)
  call('ZADD', dead, math.max(now, last + 1 / 1024), id)
  if range.traits ~= '' then call('HSET', dead .. ':traits', id, range.traits) end
  lib.count(group.state, 'dead', 1)
  if lib.watchers then lib.watchers.died(group, id, problem) end
  local props = call('HGET', P .. 'follows', id)
  if props then
    --@include lib/effects
    local left, generation = lib.pairsOf(call('HGET', P .. 'pending', id))
    if not lib.replays(group, generation) then outcome = outcome or 'dead' else outcome = nil end
    lib.honour(id, props, left, group, outcome, { error = problem })
  end
end
