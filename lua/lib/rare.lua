-- The rare part of a request: messages settled one by one, what their handlers published, and guards. Most requests have none of it, and
-- do not pay for these functions. The block that includes this gets `readRare`.
-- Needs: call, time, counts, range, groups, wake, author, finish, lease, guard-errors.

--@include lib/guards
--@include lib/batches
--@include lib/settle
--@include lib/settle-guards
--@include lib/fetch-guards

function lib.hasStaged(settles)
  for _, settle in ipairs(settles) do
    if #settle.staged > 0 then return true end
  end
  return false
end

-- Reads from position 11 on. Answers the steps that the request has, or nil and what is wrong with it.
function lib.readRare(settleCount)
  local fetchKeys, settleKeys = lib.guardKeys(ARGV[11]), lib.guardKeys(ARGV[12])
  local fetchCalls, at = lib.readGuardCalls(13)
  local settles, problem = lib.readSettles(at, settleCount)
  if not settles then return nil, problem end
  local effective = {}
  return {
    settles = settles,

    settle = function(group, held, freed, refused)
      effective = lib.settleSingles(group, held, settles, freed, refused)
    end,

    -- What took effect publishes, and tells the plugins.
    follow = function(group, session, number)
      if lib.hasStaged(effective) then
        --@include lib/enqueue
        --@include lib/admission
        --@include lib/publish-staged
        lib.publishStaged(session, number, effective)
      end
      lib.applySettleGuards(group, effective, settleKeys)
    end,

    allowed = function(group, want)
      group.singles = lib.asksKeys(fetchCalls)
      return lib.allowedBy(group, fetchCalls, fetchKeys, want)
    end,

    -- Answers what may be leased of what was taken, and how many messages may not.
    park = function(group, taken)
      if not lib.asksKeys(fetchCalls) then return taken, 0 end
      --@include lib/park
      return lib.parkKeys(group, fetchCalls, fetchKeys, taken)
    end,

    -- Answers whether something may have gone of what was taken.
    skip = function(group, taken)
      if #fetchCalls > 0 then lib.skipKnown(group, fetchCalls, fetchKeys, taken) end
      return #fetchCalls > 0
    end,

    fetched = function(group, taken, messages)
      lib.applyFetchGuards(group, fetchCalls, fetchKeys, messages)
      if lib.asksKeys(fetchCalls) then
        --@include lib/park
        lib.applyToKeys(group, fetchCalls, fetchKeys, taken)
      end
    end,
  }
end
