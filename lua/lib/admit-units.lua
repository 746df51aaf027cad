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
  if lib.settings().maxWaiting then
    --@include lib/bound
  end
  -- Applies come before the batches are written, so memory is asked for here: Redis 6.2 looks at the first write only.
  call('HINCRBY', P .. 'meta', 'seq', 0)
  local size = string.gmatch(ARGV[6], '%d+')
  while first <= #messages do
    local unit, last = {}, math.min(#messages, first + (size() or 1) - 1)
    for i = first, last do unit[#unit + 1] = messages[i] end
    first = last + 1
    plan = lib.admitUnit(plan, unit, outcomes, true)
  end
  return plan
end
