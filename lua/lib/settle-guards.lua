-- Settle guards: what a plugin records with the outcome, in the same step. Needs: guards, groups.

local settleGuards = {
  --@guards settle
}

function lib.applySettleGuards(group, settles, keys)
  for _, settle in ipairs(settles) do
    for _, c in ipairs(settle.calls) do
      local guard = settleGuards[c.guard]
      if guard and guard.guard.apply then
        local context = {
          id = settle.id, outcome = settle.outcome,
          group = lib.groupName(group), topic = topicName, now = now, keys = keys[c.guard] or {},
        }
        local fine, problem = pcall(guard.guard.apply, context, c.args)
        if not fine then lib.blame(guard.name, problem) end
      end
    end
  end
end
