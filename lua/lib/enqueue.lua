-- Accepting batches: a plan collects what a script accepts, `enqueue` writes it with variadic commands, so five batches cost what one costs.
-- A batch is { value, total, id = batch id, own = own id or nil, due = moment or nil, front }.
-- Needs: call, time, counts, range, groups, wake.

--@include lib/give
--@include lib/envelope
--@include lib/pending

local acceptedIds = {}

-- An own id that still exists, or that this request has brought before.
function lib.exists(batch)
  return batch.own and (acceptedIds[batch.id] or call('HEXISTS', P .. 'pending', batch.id) == 1)
end

function lib.areMarks()
  return lib.noted('marks') + lib.counting(P .. 'groups', '::marks') > 0
end

-- Of its batch this message is not accepted.
function lib.leaveOut(message)
  local batch = message.batch
  batch.out = batch.out or {}
  batch.out[message.index] = true
  lib.leftOut = true
end

function lib.newPlan()
  return {
    values = {}, lone = {}, follows = {}, batches = {}, has = {},
    back = {}, backCount = 0, front = {}, frontCount = 0,
    due = {},
  }
end

function lib.planBatch(plan, batch)
  if plan.has[batch.id] then return end
  plan.has[batch.id] = true
  batch.ready, batch.later, batch.parts = 0, 0, {}
  plan.batches[#plan.batches + 1] = batch
  local props = lib.moreThanSource(batch.value)
  local found = props and lib.properties(props)
  -- The messages of an id that was there before may still be met.
  local place = batch.own and lib.areMarks() and lib.nextSequence(1)
  if found or place then batch.traits = lib.traitsOf(found or {}, place) end
  if batch.total > 1 then
    plan.values[#plan.values + 1], plan.values[#plan.values + 2] = P .. 'b:' .. batch.id, batch.value
    return
  end
  if batch.own then acceptedIds[batch.id] = true end
  plan.lone[#plan.lone + 1], plan.lone[#plan.lone + 2] = batch.id, batch.value
  if found and (found[OWNS] or found[REPORT_TO] or found[KEEP_RESULT]) then
    plan.follows[#plan.follows + 1], plan.follows[#plan.follows + 2] = batch.id, props
  end
end

-- Ready messages that follow one another in a batch are one range, however many units they came in; written when it is whole.
function lib.planBack(plan, batch, from, n)
  local last = plan.last
  if last and last.batch == batch and last.from + last.n == from then
    last.n = last.n + n
  else
    lib.closeBack(plan)
    plan.last = { batch = batch, from = from, n = n }
  end
  plan.backCount = plan.backCount + n
end

function lib.closeBack(plan)
  local last = plan.last
  if not last then return end
  plan.back[#plan.back + 1] = lib.rangeText(last.batch.id, last.batch.total, last.from, last.n, last.batch.traits)
  plan.last = nil
end

-- Each by itself, so that it can be found by its name. Of those for the front the last to be due is the first to be taken.
function lib.planDue(plan, batch, from, n, due)
  local first, last, step = from, from + n - 1, 1
  if batch.front then first, last, step = last, first, -1 end
  local all = (batch.traits or '') ~= '' and lib.parseRange(lib.rangeText(batch.id, batch.total, 0, batch.total, batch.traits))
  for index = first, last, step do
    local range = lib.rangeText(batch.id, batch.total, index, 1, all and lib.oneOf(all, index).traits)
    plan.due[#plan.due + 1] = { due, batch.front and '^' .. range or range, lib.nameOf(batch.id, batch.total, index) }
  end
  batch.later = batch.later + n
  if not plan.firstDue or due < plan.firstDue then plan.firstDue = due end
end

-- Accepts messages from .. from + n - 1 of a batch.
function lib.planRange(plan, batch, from, n, due)
  lib.planBatch(plan, batch)
  if due and due > now then return lib.planDue(plan, batch, from, n, due) end
  batch.ready = batch.ready + n
  if n < batch.total then
    local part = batch.parts[#batch.parts]
    if part and part.from + part.count == from then
      part.count = part.count + n
    else
      batch.parts[#batch.parts + 1] = { from = from, count = n, total = batch.total, batch = batch.id }
    end
  end
  if batch.front then
    table.insert(plan.front, 1, lib.rangeText(batch.id, batch.total, from, n, batch.traits)) -- the last to be published is the first to be taken
    plan.frontCount = plan.frontCount + n
  else
    lib.planBack(plan, batch, from, n)
  end
end

function lib.schedule(plan, groups)
  local members, index = {}, {}
  local sequence = lib.nextSequence(#plan.due)
  for i, item in ipairs(plan.due) do
    local text = lib.member(sequence + i - 1, item[2])
    members[#members + 1], members[#members + 2] = item[1], text
    index[#index + 1], index[#index + 2] = item[3], text
  end
  lib.callWith('ZADD', P .. 'scheduled', members)
  lib.callWith('HSET', P .. 'deferred', index)
  lib.count(P .. 'meta', 'scheduled', #plan.due)
  for _, group in ipairs(groups) do lib.setTimerFor(group, plan.firstDue) end
end

function lib.keepUnclaimed(plan)
  lib.count(P .. 'meta', 'unclaimed', plan.backCount + plan.frontCount)
  if #plan.back > 0 and (lib.settings().retain or lib.noted('later') > 0) then
    --@include lib/later
    if lib.noted('later') == 0 then call('HSET', P .. 'groups', '::later', 1) end
    lib.putLater({ G = P .. 'unclaimed:', state = P .. 'meta', laterField = 'unclaimedLater' }, plan.back, plan.backCount)
    plan.back = {}
  end
  if lib.anyTraits(plan.back) or lib.anyTraits(plan.front) then
    --@include lib/unclaimed-traits
    lib.keepByTraits(plan)
  end
  lib.callWith('RPUSH', P .. 'unclaimed', plan.back)
  lib.callWith('LPUSH', P .. 'unclaimed', lib.reversed(plan.front))
end

-- Whether this script may lease to sessions that wait: not one that holds a session's numbers itself.
lib.pushes = false

-- The only batch, if it is one message that is ready now, without traits, and does not expire.
function lib.alone(plan)
  local batch = plan.batches[1]
  if plan.backCount ~= 1 or plan.frontCount > 0 or batch.total > 1 or (batch.traits or '') ~= '' then return nil end
  return string.byte(batch.value, 2) % 2 == 0 and batch
end

function lib.enqueue(plan)
  if #plan.batches == 0 then return end
  lib.closeBack(plan)
  local groups = lib.allGroups()
  -- 1. The bytes: the first write, and one that Redis refuses when it is full.
  lib.callAll('MSET', plan.values)
  lib.callWith('HSET', P .. 'batches', plan.lone)
  -- 2. Who still has to finish them.
  local retains = lib.settings().retain
  -- What is retained the log has to finish as well.
  local fan, pending = math.max(1, #groups) + (retains and 1 or 0), {}
  -- What no group has yet will be its heir's.
  local generation = lib.noted('generation') + (#groups == 0 and 1 or 0)
  for _, batch in ipairs(plan.batches) do
    local value = lib.pendingValue(batch.ready * fan + batch.later, batch.ready > 0 and not batch.isGiven and generation or 0)
    if batch.written then -- by an earlier plan of this script
      call('HINCRBY', P .. 'pending', batch.id, value)
    else
      pending[#pending + 1], pending[#pending + 2] = batch.id, value
    end
    batch.written, batch.isGiven = true, batch.isGiven or batch.ready > 0
    if batch.ready < batch.total and #batch.parts > 0 then
      --@include lib/give-part
      for _, part in ipairs(batch.parts) do lib.givePart(part, groups) end
    end
  end
  lib.callWith('HSET', P .. 'pending', pending)
  lib.callWith('HSET', P .. 'follows', plan.follows)
  -- 3. Where they wait.
  if #plan.due > 0 then lib.schedule(plan, groups) end
  if retains then
    --@include lib/log
    lib.appendToLog({ plan.back, plan.front }, plan.backCount + plan.frontCount)
  end
  if #groups == 0 then return lib.keepUnclaimed(plan) end
  local lone = lib.pushes and #plan.batches == 1 and lib.alone(plan)
  if lone then
    --@include lib/push
    for _, group in ipairs(groups) do lib.giveAlone(group, plan.back[1], lone.value) end
    return
  end
  for _, group in ipairs(groups) do
    lib.give(group, plan.back, plan.backCount)
    lib.give(group, plan.front, plan.frontCount, true)
  end
end
