-- A publish with guards: the request's messages, in the units of their callers. Needs: all of admission.

-- Every message of the request with its guard calls.
function lib.messagesOf(batches, at)
  local keys = lib.guardKeys(ARGV[8])
  local descriptor, messages = ARGV[7], {}
  for _, batch in ipairs(batches) do
    for index = 0, batch.total - 1 do
      messages[#messages + 1] = { batch = batch, index = index, position = #messages }
    end
  end
  for message, guard, n in string.gmatch(descriptor, '(%d+) (%d+) (%d+);') do
    guard, n = guard + 1, tonumber(n)
    local target = messages[message + 1]
    target.calls = target.calls or {}
    target.calls[#target.calls + 1] = { guard = guard, args = lib.argumentsAt(at, n), keys = keys[guard] or {} }
    at = at + n
  end
  return messages
end

function lib.admitUnits(plan, batches, at, outcomes)
  local messages, first = lib.messagesOf(batches, at), 1
  -- Applies come before the batches are written, so memory is asked for here: Redis 6.2 looks at the first write only.
  call('HINCRBY', P .. 'meta', 'seq', 0)
  for size in string.gmatch(ARGV[6] == '' and tostring(#messages) or ARGV[6], '%d+') do
    local unit = {}
    for i = first, math.min(#messages, first + size - 1) do unit[#unit + 1] = messages[i] end
    first = first + size
    plan = lib.admitUnit(plan, unit, outcomes, true)
  end
  return plan
end
