-- Publishes what the settles that took effect have staged: in this very script on the session's own topic, through the outbox on others.
-- Nobody may refuse any of it: the settle stands. Needs: all of settle, enqueue, admission.

--@include lib/outbox

function lib.forOutbox(publish)
  local batch, calls = publish.batch, nil
  local keys = publish.keys ~= '' and cjson.decode(publish.keys) or {}
  for _, c in ipairs(publish.calls) do
    local guard = publishGuards[c.guard]
    calls = calls or {}
    -- By name: the process that relays may have other guards at other positions.
    if guard then calls[#calls + 1] = { m = c.message, g = guard.name, a = c.args, k = keys[c.guard] } end
  end
  return { v = batch.value, id = batch.own, due = batch.due, front = batch.front or nil, calls = calls }
end

function lib.publishStaged(session, number, effective)
  local plan, nth = lib.newPlan(), 0
  for _, settle in ipairs(effective) do
    for _, publish in ipairs(settle.staged) do
      local batch = publish.batch
      if publish.topic ~= topicName then
        lib.putInOutbox(publish.topic, lib.forOutbox(publish))
      else
        if not batch.own then
          batch.id = session.id .. '-' .. number .. '-' .. nth
          nth = nth + 1
        end
        plan = lib.admitBatch(plan, batch, publish.calls, lib.guardKeys(publish.keys))
      end
    end
  end
  lib.enqueue(plan)
end
