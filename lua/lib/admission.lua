-- Publish guards: who is let in. Within one caller's unit every check runs before anything is accepted; units follow one another, so a later
-- one sees what an earlier one applied.
-- The batches themselves are written when all units have had their turn. Nothing can refuse them then: Redis was asked for memory before.
-- Needs: call, time, counts, range, envelope, groups, wake, ready, finish, enqueue, guards.

--@include lib/locate
--@include lib/listed

local publishGuards = {
  --@guards publish
}

function lib.orderingKey(batch, index)
  if batch.keys == nil then
    local props = lib.moreThanSource(batch.value)
    local found = props and lib.properties(props)
    if found and found[KEYS] then
      batch.keys = lib.keysOf({ listed = found[KEYS][1] })
    else
      batch.key, batch.keys = found and found[KEY] and found[KEY][1] or nil, false
    end
  end
  if batch.keys then return batch.keys[index + 1] end
  return batch.key
end

-- Ends a message wherever it waits, in each group. One that is on its way stays, and so does one that is not found among the leases in one look.
function lib.takeBack(id)
  lib.writeFinished() -- what the group of a settle finished
  local message = lib.findMessage(id)
  if not message then return end
  --@include lib/session
  --@include lib/seek
  --@include lib/visit
  --@include lib/withdraw
  --@include lib/pass-keys
  local scheduled = lib.scheduledAs(message)
  if scheduled then
    lib.endOne(nil, lib.withdrawScheduled(message, scheduled), 'replaced')
  elseif lib.isUnclaimed(message) then
    lib.endOne(lib.nobody(), lib.withdrawUnclaimed(message), 'replaced')
  else
    lib.visit(message, '', lib.newBudget(), false, function(group, place)
      if place.at == 'waiting' or place.at == 'retrying' then
        lib.endOne(group, lib.withdraw(group, message, place), 'replaced')
        if group.leaving and group ~= endingGroup then lib.passKeys(group) end
        return true
      end
    end)
  end
  acceptedIds[message.name] = nil
end

-- All keys are there from the beginning: a table that grows is made twice.
function lib.messageOf(batch, index, position)
  return { batch = batch, index = index, position = position, calls = false, described = false }
end

-- `keys`: of the guards, by their position.
function lib.addCalls(messages, calls, keys)
  for _, c in ipairs(calls) do
    local message = messages[c.message + 1]
    if message then
      c.keys = c.keys or keys[c.guard] or {}
      if message.calls then message.calls[#message.calls + 1] = c else message.calls = { c } end
    end
  end
end

-- What a guard's check answered. Answers what ends the matter, and whose word that is.
local function judged(guard, message, unit, isDone, ...)
  if not isDone then
    lib.blame(guard.name, (...))
    return { 'reject', 'the guard failed' }, guard.name
  end
  for i = 1, select('#', ...) do
    local verdict = select(i, ...)
    if verdict and verdict[1] == 'defer' then
      message.due = now + verdict[2]
    elseif verdict and verdict[1] == 'replace' then
      unit.replaced[#unit.replaced + 1] = verdict[2]
    elseif verdict then
      return verdict, guard.name
    end
  end
end

function lib.checkMessage(m, message, unit)
  for _, c in ipairs(message.calls) do
    local guard = publishGuards[c.guard]
    if guard and guard.guard.check then
      m.keys = c.keys
      local shared = unit.shared[c.guard]
      if not shared then
        shared = {}
        unit.shared[c.guard] = shared
      end
      local verdict, by = judged(guard, message, unit, pcall(guard.guard.check, m, c.args, shared))
      if verdict then return verdict, by end
    end
  end
end

local function applyGuards(message)
  for _, c in ipairs(message.calls) do
    local guard = publishGuards[c.guard]
    if guard and guard.guard.apply then
      message.described.keys = c.keys
      local applied, problem = pcall(guard.guard.apply, message.described, c.args)
      if not applied then lib.blame(guard.name, problem) end
    end
  end
end

function lib.describe(message, index)
  local batch = message.batch
  return {
    id = lib.messageId(batch.id, batch.total, message.index), index = index, key = lib.orderingKey(batch, message.index),
    topic = topicName, now = now, keys = false,
  }
end

-- unit: list of { batch, index, position, calls }. Adds to `plan` (answering the plan to go on with) and to `outcomes`.
-- `binding`: whether a guard may refuse. What a settle published cannot be undone.
function lib.admitUnit(plan, messages, outcomes, binding)
  local unit, named = { shared = {}, replaced = {} }, nil
  for index, message in ipairs(messages) do
    local own = message.batch.own
    if own and (lib.exists(message.batch) or named and named[own]) then
      message.out = true
      outcomes[#outcomes + 1] = { message.position, 'duplicate', own }
    elseif message.calls then
      message.described = lib.describe(message, index - 1)
      local verdict, guard = lib.checkMessage(message.described, message, unit)
      if verdict and verdict[1] == 'duplicate' then
        message.out = true
        lib.leaveOut(message)
        outcomes[#outcomes + 1] = { message.position, 'duplicate', verdict[2] }
      elseif verdict and binding then
        for _, refused in ipairs(messages) do
          outcomes[#outcomes + 1] = { refused.position, 'reject', guard, verdict[2], tonumber(verdict[3]) or -1 }
          lib.leaveOut(refused)
        end
        return plan
      end
    end
    if own and not message.out then
      named = named or {}
      named[own] = true
    end
  end
  if #unit.replaced > 0 then
    lib.enqueue(plan) -- what is replaced may be of this very request
    plan = lib.newPlan()
  end
  local isBeyondBound = lib.isBeyondBound -- where the topic has one
  if binding and isBeyondBound and isBeyondBound(messages, unit.replaced, outcomes) then return plan end
  if #unit.replaced > 0 then
    --@include lib/watching
    for _, id in ipairs(unit.replaced) do lib.takeBack(id) end
  end
  for _, message in ipairs(messages) do
    if not message.out then
      lib.planRange(plan, message.batch, message.index, 1, message.due or message.batch.due)
      if message.calls then applyGuards(message) end
    end
  end
  return plan
end

-- A whole batch that nobody may refuse: staged, or relayed.
function lib.admitBatch(plan, batch, calls, keys)
  if #calls == 0 then
    if not lib.exists(batch) then lib.planRange(plan, batch, 0, batch.total, batch.due) end
    return plan
  end
  local messages = {}
  for index = 0, batch.total - 1 do messages[index + 1] = lib.messageOf(batch, index, index) end
  lib.addCalls(messages, calls, keys)
  return lib.admitUnit(plan, messages, {}, false)
end
