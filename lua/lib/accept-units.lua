-- A publish without guards for which there is not room enough: its units one by one, in their order. Needs: all of enqueue, bound.

-- Answers the plan and the outcomes.
function lib.acceptUnits(batches)
  local plan, outcomes, messages = lib.newPlan(), {}, {}
  acceptedIds = {}
  for _, batch in ipairs(batches) do
    for index = 0, batch.total - 1 do messages[#messages + 1] = { batch = batch, index = index, position = #messages } end
  end
  local size, first = string.gmatch(ARGV[6], '%d+'), 1
  while first <= #messages do
    local unit, fresh, duplicates = {}, {}, {}
    local last = math.min(#messages, first + (size() or 1) - 1)
    for i = first, last do
      local message = messages[i]
      local batch = message.batch
      unit[#unit + 1] = message
      if lib.exists(batch) or batch.own and fresh[batch.id] then
        duplicates[#duplicates + 1] = { message.position, 'duplicate', batch.own } -- alone, so nothing of a batch is left out
      else
        fresh[#fresh + 1] = message
        if batch.own then fresh[batch.id] = true end
      end
    end
    first = last + 1
    local reason, retryMs = lib.noRoomFor(#fresh, 0)
    if reason then
      lib.refuseUnit(unit, outcomes, reason, retryMs)
    else
      local at = 1
      while at <= #fresh do
        local batch, n = fresh[at].batch, 1
        while fresh[at + n] and fresh[at + n].batch == batch do n = n + 1 end
        lib.planRange(plan, batch, fresh[at].index, n, batch.due)
        at = at + n
      end
      for _, duplicate in ipairs(duplicates) do outcomes[#outcomes + 1] = duplicate end
    end
  end
  return plan, outcomes
end
