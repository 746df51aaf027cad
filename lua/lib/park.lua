-- What fetch guards say of ordering keys. What was taken of a key beyond what may run now goes back to the head of its line; if nothing of it may, the key is
-- parked: its first message, which has the key's turn, is put off until it may, with the timer of those that are tried again. No attempt counts, and others go on.
-- Needs: call, counts, range, fetch, finish, fetch-guards. Cost: the guards' own; per key that is parked about 8 commands.

--@include lib/leaving
--@include lib/rehome
--@include lib/retrying

local function askKey(group, calls, keys, key, want)
  local limitedMs
  for _, c in ipairs(calls) do
    local guard = fetchGuards[c.guard]
    if guard and guard.guard.checkKey then
      c.context = c.context or lib.fetchContext(group, keys, c)
      local fine, n, retryMs = pcall(guard.guard.checkKey, c.context, c.args, key, want)
      if not fine then
        lib.blame(guard.name, n)
        n, retryMs = 0, RETRY_AFTER_ERROR_MS
      end
      n = math.floor(tonumber(n) or 0)
      if n < want then
        want = math.max(0, n)
        limitedMs = math.max(limitedMs or 0, math.ceil(tonumber(retryMs) or RETRY_AFTER_ERROR_MS))
      end
    end
  end
  return want, limitedMs
end

-- A key's items in the order of its line; the keys in theirs.
local function itemsByKey(taken)
  local keys, of = {}, {}
  for _, item in ipairs(taken) do
    local key = item.range.key
    if key then
      if not of[key] then
        of[key], keys[#keys + 1] = { n = 0 }, key
      end
      table.insert(of[key], item)
      for index = item.range.from, item.range.from + item.range.count - 1 do
        if not (item.gone and item.gone[index]) then of[key].n = of[key].n + 1 end
      end
    end
  end
  return keys, of
end

-- Takes from an item all beyond its first `n` messages that are still something. Answers these, as ranges without gaps.
local function cut(item, n)
  local range, seen, parts, stop = item.range, 0, {}, nil
  local part
  for index = range.from, range.from + range.count - 1 do
    local isGone = item.gone and item.gone[index]
    if not isGone then seen = seen + 1 end
    if seen > n then
      stop = stop or index
      if isGone then
        part = nil
      elseif part then
        part.count = part.count + 1
      else
        part = { from = index, count = 1 }
        parts[#parts + 1] = part
      end
    end
  end
  if not stop then return parts end
  for index in pairs(item.gone or {}) do
    if index >= stop then item.gone[index] = nil end
  end
  range.count = stop - range.from
  item.text = lib.rangeText(range.batch, range.total, range.from, range.count, range.lead)
  item.isCut = true
  return parts
end

local function putOffFirst(group, range, index, due)
  lib.learn({ range })
  local id = lib.rehome(range, index)
  if range.total > 1 then lib.noteUnfailed(group, id) end
  lib.putOff(group, id, due, lib.loneRange(id, range.lead))
end

local function parkKey(group, key, items, n, due)
  -- While some of it runs the turn is theirs: the next is asked about when they have ended.
  local isFirst, back, parked = n == 0, {}, 0
  for _, item in ipairs(items) do
    local open = 0
    for index = item.range.from, item.range.from + item.range.count - 1 do
      if not (item.gone and item.gone[index]) then open = open + 1 end
    end
    local range = item.range
    for _, part in ipairs(cut(item, math.min(n, open))) do
      parked = parked + part.count
      if isFirst then
        isFirst = false
        putOffFirst(group, range, part.from, due)
        part.from, part.count = part.from + 1, part.count - 1
      end
      if part.count > 0 then
        back[#back + 1] = { count = part.count, text = lib.rangeText(range.batch, range.total, part.from, part.count, range.lead) }
      end
    end
    n = n - math.min(n, open)
  end
  local leaving = lib.leavingOf(group, key)
  for _, range in ipairs(leaving.returned) do back[#back + 1] = range end
  leaving.returned = back
  return parked
end

-- Answers what is left of `taken`, and how many messages were parked.
function lib.parkKeys(group, calls, guardKeys, taken)
  local keys, of = itemsByKey(taken)
  local parked = 0
  for _, key in ipairs(keys) do
    local n, retryMs = askKey(group, calls, guardKeys, key, of[key].n)
    if retryMs then parked = parked + parkKey(group, key, of[key], n, now + math.max(1, retryMs)) end
  end
  if parked == 0 then return taken, 0 end
  local kept, again = {}, {}
  for _, item in ipairs(taken) do
    if item.range.count > 0 then
      kept[#kept + 1] = item
      if item.isCut then again[#again + 1] = item end
    end
  end
  local ranges = {}
  for i, item in ipairs(again) do ranges[i] = item.range end
  local values = lib.valuesOf(ranges)
  for i, item in ipairs(again) do item.value = values[i] end
  return kept, parked
end

-- How many of each key are leased.
function lib.applyToKeys(group, calls, guardKeys, taken)
  local keys, of = itemsByKey(taken)
  for _, key in ipairs(keys) do
    for _, c in ipairs(calls) do
      local guard = fetchGuards[c.guard]
      if guard and guard.guard.applyKey then
        c.context = c.context or lib.fetchContext(group, guardKeys, c)
        local fine, problem = pcall(guard.guard.applyKey, c.context, c.args, key, of[key].n)
        if not fine then lib.blame(guard.name, problem) end
      end
    end
  end
end
