-- A publish with guards of which each unit is one message, as most are: they follow one another, and nothing is made for a message that its guards let pass as it
-- is. What a guard says more of one is for `admitUnit`, which asks again: a check only reads. Needs: all of admission.

-- Whether all checks of a message pass. calls: flat, `message, guard, args` each; those from `first` to `last` are its own. Leaves in `shared`, which they have
-- by guard, nothing: each message is a unit.
local function passes(m, calls, first, last, keys, shared)
  local isPlain = true
  for at = first, last, 3 do
    local guard = publishGuards[calls[at + 1]]
    if guard and guard.guard.check then
      local own = shared[calls[at + 1]]
      if not own then
        own = {}
        shared[calls[at + 1]] = own
      end
      m.keys = keys[calls[at + 1]]
      local isDone, verdict, more = pcall(guard.guard.check, m, calls[at + 2], own)
      if not isDone or verdict or more then isPlain = false end
    end
  end
  for _, own in pairs(shared) do
    for name in pairs(own) do own[name] = nil end
  end
  return isPlain
end

local function apply(m, calls, first, last, keys)
  for at = first, last, 3 do
    local guard = publishGuards[calls[at + 1]]
    if guard and guard.guard.apply then
      m.keys = keys[calls[at + 1]]
      local applied, problem = pcall(guard.guard.apply, m, calls[at + 2])
      if not applied then lib.blame(guard.name, problem) end
    end
  end
end

-- Answers the plan to go on with; nil, and nothing done, if the calls are not in the messages' order.
function lib.admitAlone(plan, batches, outcomes)
  local calls, keys = cmsgpack.unpack(ARGV[7]), lib.guardKeys(ARGV[8])
  for at = 4, #calls, 3 do
    if calls[at] < calls[at - 3] then return nil end
  end
  for guard in pairs(publishGuards) do keys[guard] = keys[guard] or {} end
  local m, shared = { index = 0, topic = topicName, now = now, id = '', key = false, keys = false }, {}
  local at, position = 1, 0
  for _, batch in ipairs(batches) do
    local planned = 0 -- messages of it that are in the plan, or left out of it
    for index = 0, batch.total - 1 do
      local first = at
      while calls[at] == position do at = at + 3 end
      local isPlain = not batch.own
      if isPlain and first < at then
        m.id, m.key = lib.messageId(batch.id, batch.total, index), lib.orderingKey(batch, index) or nil
        isPlain = passes(m, calls, first, at - 3, keys, shared)
        if isPlain then apply(m, calls, first, at - 3, keys) end
      end
      if not isPlain then
        if index > planned then lib.planRange(plan, batch, planned, index - planned, batch.due) end
        planned = index + 1
        local message = lib.messageOf(batch, index, position)
        for c = first, at - 3, 3 do
          message.calls = message.calls or {}
          message.calls[#message.calls + 1] = { guard = calls[c + 1], args = calls[c + 2], keys = keys[calls[c + 1]] }
        end
        plan = lib.admitUnit(plan, { message }, outcomes, true)
      end
      position = position + 1
    end
    if batch.total > planned then lib.planRange(plan, batch, planned, batch.total - planned, batch.due) end
  end
  return plan
end
