-- Accepting batches: a plan collects what a script accepts, `enqueue` writes it with variadic commands, so five batches cost what one costs.
-- A batch is { value, total, id = batch id, own = own id or nil, due = moment or nil, front }.
-- Needs: call, time, counts, range, envelope, groups, wake, ready.

local acceptedIds = {}

-- An own id that still exists, or that this request has brought before.
local function exists(batch)
  return batch.own and (acceptedIds[batch.id] or call('HEXISTS', P .. 'pending', batch.id) == 1)
end

local function newPlan()
  return {
    values = {}, lone = {}, follows = {}, batches = {}, has = {},
    back = {}, backCount = 0, front = {}, frontCount = 0,
    due = {}, dueCount = 0,
  }
end

local function planBatch(plan, batch)
  if plan.has[batch.id] then return end
  plan.has[batch.id] = true
  batch.ready, batch.later = 0, 0
  plan.batches[#plan.batches + 1] = batch
  if batch.total > 1 then
    plan.values[#plan.values + 1], plan.values[#plan.values + 2] = P .. 'b:' .. batch.id, batch.value
    return
  end
  if batch.own then acceptedIds[batch.id] = true end
  plan.lone[#plan.lone + 1], plan.lone[#plan.lone + 2] = batch.id, batch.value
  local props = moreThanSource(batch.value)
  if not props then return end
  local found = properties(props)
  if found[OWNS] or found[REPORT_TO] then
    plan.follows[#plan.follows + 1], plan.follows[#plan.follows + 2] = batch.id, props
  end
end

-- Ready messages that follow one another in a batch are one range, however many units they came in.
local function planBack(plan, batch, from, n)
  local last = plan.last
  if last and last.id == batch.id and last.from + last.n == from then
    last.n = last.n + n
  else
    last = { id = batch.id, from = from, n = n }
    plan.last = last
    plan.back[#plan.back + 1] = false
  end
  plan.back[#plan.back] = rangeText(batch.id, batch.total, last.from, last.n)
  plan.backCount = plan.backCount + n
end

-- Accepts messages from .. from + n - 1 of a batch. `indexed`: a guard may want to find it again by its id while it is delayed.
local function planRange(plan, batch, from, n, due, indexed)
  planBatch(plan, batch)
  if due and due > now then
    local range = rangeText(batch.id, batch.total, from, n)
    batch.later = batch.later + n
    plan.dueCount = plan.dueCount + n
    plan.due[#plan.due + 1] = { due, range, indexed }
    if not plan.firstDue or due < plan.firstDue then plan.firstDue = due end
    return
  end
  batch.ready = batch.ready + n
  if batch.front then
    table.insert(plan.front, 1, rangeText(batch.id, batch.total, from, n)) -- the last to be published is the first to be taken
    plan.frontCount = plan.frontCount + n
  else
    planBack(plan, batch, from, n)
  end
end

local function schedule(plan, groups)
  local members, index = {}, {}
  local sequence = nextSequence(#plan.due)
  for i, item in ipairs(plan.due) do
    local text = member(sequence + i - 1, item[2])
    members[#members + 1], members[#members + 2] = item[1], text
    if item[3] then index[#index + 1], index[#index + 2] = item[3], text end
  end
  callWith('ZADD', P .. 'scheduled', members)
  callWith('HSET', P .. 'deferred', index)
  count(P .. 'meta', 'scheduled', plan.dueCount)
  for _, group in ipairs(groups) do setTimerFor(group, plan.firstDue) end
end

local function keepUnclaimed(plan)
  callWith('RPUSH', P .. 'unclaimed', plan.back)
  callWith('LPUSH', P .. 'unclaimed', reversed(plan.front))
  count(P .. 'meta', 'unclaimed', plan.backCount + plan.frontCount)
end

local function enqueue(plan)
  if #plan.batches == 0 then return end
  local groups = allGroups()
  -- 1. The bytes: the first write, and one that Redis refuses when it is full.
  callAll('MSET', plan.values)
  callWith('HSET', P .. 'batches', plan.lone)
  -- 2. Who still has to finish them.
  local fan, pending = math.max(1, #groups), {}
  for _, batch in ipairs(plan.batches) do
    local pairs_ = batch.ready * fan + batch.later
    if batch.written then -- by an earlier plan of this script
      call('HINCRBY', P .. 'pending', batch.id, pairs_)
    else
      pending[#pending + 1], pending[#pending + 2] = batch.id, pairs_
      batch.written = true
    end
  end
  callWith('HSET', P .. 'pending', pending)
  callWith('HSET', P .. 'follows', plan.follows)
  -- 3. Where they wait.
  if #plan.due > 0 then schedule(plan, groups) end
  if #groups == 0 then return keepUnclaimed(plan) end
  for _, group in ipairs(groups) do
    makeReady(group, plan.back, plan.backCount)
    makeReady(group, plan.front, plan.frontCount, true)
  end
end
