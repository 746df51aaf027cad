-- The rare part of a request: messages settled one by one, what their handlers published, and guards. Most requests have none of it, and
-- do not pay for these functions. The block that includes this gets `readRare`.
-- Needs: call, time, counts, range, envelope, groups, wake, ready, outbox, finish, lease, rehome, guard-errors.

--@include lib/guards
--@include lib/batches
--@include lib/failures
--@include lib/settle
--@include lib/settle-guards
--@include lib/fetch-guards

local function hasStaged(settles)
  for _, settle in ipairs(settles) do
    if #settle.staged > 0 then return true end
  end
  return false
end

-- Reads from position 11 on. Answers the steps that the request has, or nil and what is wrong with it.
local function readRare(settleCount)
  local fetchKeys, settleKeys = guardKeys(ARGV[11]), guardKeys(ARGV[12])
  local fetchCalls, at = readGuardCalls(13)
  local settles, problem = readSettles(at, settleCount)
  if not settles then return nil, problem end
  local effective = {}
  return {
    settles = settles,

    settle = function(group, held, freed, refused)
      effective = settleSingles(group, held, settles, freed, refused)
    end,

    -- What took effect publishes, and tells the plugins.
    follow = function(group, session, number)
      if hasStaged(effective) then
        --@include lib/enqueue
        --@include lib/admission
        --@include lib/publish-staged
        publishStaged(session, number, effective)
      end
      applySettleGuards(group, effective, settleKeys)
    end,

    allowed = function(group, want) return allowedBy(group, fetchCalls, fetchKeys, want) end,

    fetched = function(group, taken, messages)
      if #fetchCalls == 0 then return taken, messages, {} end
      local kept, keptMessages, skips = skipKnown(group, fetchCalls, fetchKeys, taken)
      applyFetchGuards(group, fetchCalls, fetchKeys, keptMessages)
      return kept, keptMessages, skips
    end,
  }
end
