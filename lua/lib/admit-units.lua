-- A publish with guards: the request's messages, in the units of their callers. Needs: all of admission.

-- Every message of the request with its guard calls.
function lib.messagesOf(batches)
  local messages, n = {}, 0
  for _, batch in ipairs(batches) do
    for index = 0, batch.total - 1 do
      messages[n + 1] = lib.messageOf(batch, index, n)
      n = n + 1
    end
  end
  lib.addCalls(messages, lib.readPublishCalls(ARGV[7]), lib.guardKeys(ARGV[8]))
  return messages
end

function lib.admitUnits(plan, batches, outcomes)
  local messages, first = lib.messagesOf(batches), 1
  if lib.settings().maxWaiting then
    --@include lib/bound
  end
  local size = string.gmatch(ARGV[6], '%d+')
  local total = #messages
  while first <= total do
    local unit, last = {}, math.min(total, first + (size() or 1) - 1)
    for i = first, last do unit[i - first + 1] = messages[i] end
    first = last + 1
    plan = lib.admitUnit(plan, unit, outcomes, true)
  end
  return plan
end
