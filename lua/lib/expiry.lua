-- Messages that expired before they were delivered. Included where something that was taken may expire.
-- Needs: call, time, counts, range, groups, finish.

--@include lib/envelope
--@include lib/rehome
--@include lib/listed
--@include lib/failures
--@include lib/dead-bounds

local PROBLEM = '{"message":"it expired before it was delivered"}'

-- Buries what has expired; each item's `gone` says which of its messages are.
function lib.buryExpired(group, state, taken)
  local ranges = {}
  for i, item in ipairs(taken) do ranges[i] = item.range end
  lib.learn(ranges)
  for _, item in ipairs(taken) do
    local range = item.range
    local at = lib.mayExpire(item.value) and lib.batchCount(item.value) == range.count and lib.expiryTable(item.value)
    -- Whose envelope cannot be read is for the client to judge.
    if at and #item.value >= at - 1 + 8 * range.count then
      for i = 0, range.count - 1 do
        local expiresAt = lib.u64(item.value, at + 8 * i)
        if expiresAt > 0 and expiresAt <= now and not (item.gone and item.gone[range.from + i]) then
          item.gone = item.gone or {}
          item.gone[range.from + i] = true
          local id = lib.rehome(range, range.from + i)
          lib.recordFailure(group, id, 0, 0, 'expired', PROBLEM)
          lib.bury(group, id, PROBLEM, lib.oneOf(range, range.from + i), 'expired')
        end
      end
    end
  end
  lib.trimDead(group, state.deadMax, state.deadKeepMs)
end
