-- Settling: what the session's client did with what it holds. Everything is read and checked before anything is written.
-- Needs: call, time, counts, range, envelope, batches, groups, wake, finish, lease, guards.

--@include lib/rehome
--@include lib/failures
--@include lib/listed

-- The settle requests from position `at`: list of { outcome, lease, index, ... }, or nil and what is wrong.
function lib.readSettles(at, n)
  local settles = {}
  for i = 1, n do
    local settle = { outcome = ARGV[at], lease = tonumber(ARGV[at + 1]), index = tonumber(ARGV[at + 2]), staged = {} }
    at = at + 3
    if settle.outcome == 'done' then
      settle.result = ARGV[at]
      local staged = tonumber(ARGV[at + 1])
      at = at + 2
      if staged > 0 then
        --@include lib/staged
        settle.staged, at = lib.readStaged(at, staged)
        if not settle.staged then return nil, 'INVALID a staged publish is no batch' end
      end
    elseif settle.outcome == 'retry' then
      settle.delay, settle.counted, settle.problem = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
      at = at + 3
    elseif settle.outcome == 'dead' then
      settle.reason, settle.problem = ARGV[at], ARGV[at + 1]
      at = at + 2
    else
      return nil, 'INVALID unknown outcome'
    end
    settle.calls, at = lib.readGuardCalls(at)
    settles[i] = settle
  end
  return settles
end

function lib.retryLater(group, id, settle, traits)
  local attempts = lib.recordFailure(group, id, settle.counted, 0, '-', settle.problem)
  local due = now + settle.delay
  if lib.watchers then lib.watchers.failed(group, id, attempts - settle.counted + 1, due, settle.problem) end
  --@include lib/retrying
  lib.putOff(group, id, due, lib.loneRange(id, traits))
end

function lib.settleOne(group, range, settle)
  local index = settle.index
  range = lib.oneOf(range, index)
  lib.count(group.state, 'inFlight', -1)
  if settle.outcome == 'done' then
    lib.finish(range, index, 1, 'done', { result = settle.result })
    return
  end
  local id = lib.rehome(range, index)
  if settle.outcome == 'retry' then
    lib.retryLater(group, id, settle, range.traits)
  else
    -- It did not run, or not to its end.
    local unattempted = (settle.reason == 'expired' or settle.reason == 'cancelled') and settle.reason
    lib.recordFailure(group, id, unattempted and 0 or 1, 0, settle.reason, settle.problem)
    lib.bury(group, id, settle.problem, range, unattempted)
  end
end

-- Answers the settles that took effect.
function lib.settleSingles(group, held, settles, freed, refused)
  local effective = {}
  for _, settle in ipairs(settles) do
    local range = held[settle.lease]
    local index = settle.index
    if not range or index < range.from or index >= range.from + range.count then
      refused[#refused + 1] = settle.lease
    elseif lib.unfinished(range, index, 1) == 1 then
      settle.id = lib.messageId(range.batch, range.total, index)
      effective[#effective + 1] = settle
      lib.settleOne(group, range, settle)
      if range.total == 1 or lib.unfinished(range, range.from, range.count) == 0 then
        held[settle.lease] = nil
        freed[#freed + 1] = settle.lease
      end
    end
  end
  return effective
end
