-- Sorts what waits unsorted (see lib/keys), when it is taken: a message whose key is not out has its turn now, and the others join their lines.
-- Needs: call, counts, range, fetch.

--@include lib/keys
--@include lib/listed

-- `n` messages from `from` on, as a part of a range that lists its keys: `one` as `oneOf` has it, if they have one key.
local function partOf(range, from, n, one)
  local lead = one and one.lead or range.lead
  return {
    from = from, count = n, total = range.total, batch = range.batch, lead = lead, traits = one and one.traits or range.traits,
    priority = range.priority, place = range.place, key = one and one.key or nil, listed = not one and range.listed or nil, keys = not one and range.keys or nil,
    text = lib.rangeText(range.batch, range.total, from, n, lead), isSorted = true,
    cutOff = from > range.from and { range = range, from = from } or nil,
  }
end

-- Parts of a range in its order: those that may be taken, neighbours together unless `basket.singles`, and those that are `blocked`.
-- `isOut`: whether the key at this place of the range's keys is out.
local function divide(basket, range, parts, isOut)
  local keys = lib.keysOf(range)
  local function add(from, n, isFree)
    local part = partOf(range, from, n, (n == 1 or not keys[2]) and lib.oneOf(range, from))
    part.blocked = not isFree
    parts[#parts + 1] = part
  end
  if not keys[2] then
    local isFree = not isOut(1) and not basket.claimed[keys[1]]
    local most = isFree and math.min(range.most, range.count) or range.count
    basket.claimed[keys[1]] = true
    add(range.from, most, isFree)
    parts[#parts].leads = isFree
    if most < range.count then add(range.from + most, range.count - most, false) end
    return
  end
  local stop, first = range.from + range.count, nil
  for index = range.from, stop - 1 do
    local key = keys[index + 1]
    if isOut(index - range.from + 1) or basket.claimed[key] then
      if first then add(first, index - first, true) end
      first = nil
      add(index, 1, false)
    else
      basket.claimed[key] = true
      if basket.singles then add(index, 1, true) else first = first or index end
    end
  end
  if first then add(first, stop - first, true) end
end

-- `ranges` with the parts of those that are unsorted in their places.
function lib.sortRanges(group, basket, ranges)
  basket.claimed = basket.claimed or {}
  local asked, parts, at = {}, {}, 0
  for _, range in ipairs(ranges) do
    local keys = range.listed and lib.keysOf(range)
    if keys and keys[2] then
      for index = range.from + 1, range.from + range.count do asked[#asked + 1] = keys[index] end
    elseif keys then
      asked[#asked + 1] = keys[1]
    end
  end
  local out = lib.readWith('HMGET', group.G .. 'keys', asked)
  for _, range in ipairs(ranges) do
    if range.listed then
      local before = at
      at = at + (lib.keysOf(range)[2] and range.count or 1)
      divide(basket, range, parts, function(i) return out[before + i] end)
    else
      parts[#parts + 1] = range
    end
  end
  return parts
end

-- Parts were taken, or stand in their lines.
function lib.noteSorted(group, sorted)
  local starts, at, lines, keys, unsorted, blocked = {}, {}, {}, {}, 0, 0
  for _, part in ipairs(sorted) do
    unsorted = unsorted + part.count
    if part.blocked then
      blocked = blocked + part.count
      if not lines[part.key] then
        lines[part.key], keys[#keys + 1] = {}, part.key
      end
      table.insert(lines[part.key], part.text)
    elseif part.key and at[part.key] then
      starts[at[part.key]] = starts[at[part.key]] + part.count -- marks divided it
    elseif part.key then
      starts[#starts + 1], starts[#starts + 2] = part.key, part.count
      at[part.key] = #starts
    else
      for index = part.from + 1, part.from + part.count do starts[#starts + 1], starts[#starts + 2] = part.keys[index], 1 end
    end
  end
  lib.callWith('HSET', group.G .. 'keys', starts)
  for _, key in ipairs(keys) do lib.putInLine(group, key, lines[key]) end
  lib.callWith('SADD', group.G .. 'lines', keys)
  lib.count(group.state, 'unsorted', -unsorted)
  lib.count(group.state, 'ready', -blocked)
  lib.count(group.state, 'held', blocked)
end
