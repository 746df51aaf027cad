-- Fetch guards: how much the subscription may take now, and which messages it settles without a run.
-- Needs: call, counts, range, finish, guards.

local fetchGuards = {
  --@guards fetch
}

local RETRY_AFTER_ERROR_MS = 1000

function lib.fetchContext(group, keys, c)
  return { group = lib.groupName(group), topic = topicName, now = now, keys = keys[c.guard] or {} }
end

-- Answers how many of `want` may be taken and, if fewer, when to ask again. A guard that fails lets nothing through.
function lib.allowedBy(group, calls, keys, want)
  local limitedMs
  for _, c in ipairs(calls) do
    local guard = fetchGuards[c.guard]
    if guard and guard.guard.check then
      c.context = lib.fetchContext(group, keys, c)
      c.context.want = want
      local fine, n, retryMs = pcall(guard.guard.check, c.context, c.args)
      if not fine then
        lib.blame(guard.name, n)
        n, retryMs = 0, RETRY_AFTER_ERROR_MS
      end
      n = math.floor(tonumber(n) or 0)
      if n < want then
        want = math.max(0, n)
        limitedMs = math.max(limitedMs or 0, math.ceil(tonumber(retryMs) or RETRY_AFTER_ERROR_MS))
      end
    end
  end
  return want, limitedMs
end

-- Whether a guard has anything to say of ordering keys.
function lib.asksKeys(calls)
  for _, c in ipairs(calls) do
    local guard = fetchGuards[c.guard]
    if guard and (guard.guard.checkKey or guard.guard.applyKey) then return true end
  end
  return false
end

function lib.isSkipped(group, calls, keys, id)
  for _, c in ipairs(calls) do
    local guard = fetchGuards[c.guard]
    if guard and guard.guard.skip then
      local fine, skip = pcall(guard.guard.skip, c.context or lib.fetchContext(group, keys, c), id, c.args)
      if not fine then
        lib.blame(guard.name, skip)
      elseif skip then
        return true
      end
    end
  end
  return false
end

-- Finishes what the guards know already; each item's `gone` says which of its messages are.
function lib.skipKnown(group, calls, keys, taken)
  local ranges = {}
  for i, item in ipairs(taken) do ranges[i] = item.range end
  lib.learn(ranges)
  for _, item in ipairs(taken) do
    local range = item.range
    for index = range.from, range.from + range.count - 1 do
      if not (item.gone and item.gone[index]) and lib.isSkipped(group, calls, keys, lib.messageId(range.batch, range.total, index)) then
        lib.finish(range, index, 1, 'done')
        item.gone = item.gone or {}
        item.gone[index] = true
      end
    end
  end
end

function lib.applyFetchGuards(group, calls, keys, taken)
  for _, c in ipairs(calls) do
    local guard = fetchGuards[c.guard]
    if guard and guard.guard.apply then
      local fine, problem = pcall(guard.guard.apply, c.context or lib.fetchContext(group, keys, c), c.args, taken)
      if not fine then lib.blame(guard.name, problem) end
    end
  end
end
