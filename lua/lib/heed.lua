-- Takes ranges as marks say (lib/marks). Included where there are marks, or messages are watched for. Needs: call, time, counts, range, groups, finish.

--@include lib/marks

local FEW_MARKS = 128

-- Reads the marks of these ranges into group.marksMet (name -> mark); ranges that have some get `isMarked`.
function lib.readMarks(group, ranges)
  local met = group.marksMet or {}
  group.marksMet = met
  if group.marks == 0 then return end
  if group.marks <= FEW_MARKS and not group.markedBatches then
    group.markedBatches = {}
    local flat = call('HGETALL', group.G .. 'marks')
    for i = 1, #flat, 2 do
      met[flat[i]] = lib.parseMark(flat[i + 1])
      group.markedBatches[string.match(flat[i], '^(.*)%.%d+$') or ''] = true
    end
  end
  if group.markedBatches then
    for _, range in ipairs(ranges) do range.isMarked = range.total > 1 and group.markedBatches[range.batch] or met[range.batch] ~= nil end
    return
  end
  local names, of = {}, {}
  for _, range in ipairs(ranges) do
    for index = range.from, range.from + range.count - 1 do
      names[#names + 1], of[#of + 1] = lib.nameOf(range.batch, range.total, index), range
    end
  end
  local texts = lib.readWith('HMGET', group.G .. 'marks', names)
  for i, name in ipairs(names) do
    if texts[i] then
      met[name] = met[name] or lib.parseMark(texts[i])
      of[i].isMarked = true
    end
  end
end

-- Messages from .. from + n - 1 of a range.
local function partOf(range, from, n)
  return {
    from = from, count = n, total = range.total, batch = range.batch, lead = range.lead, traits = range.traits,
    priority = range.priority, key = range.key, inLine = range.inLine, isMarked = true,
    isSorted = range.isSorted, leads = range.leads,
    cutOff = from > range.from and { range = range, from = from } or range.cutOff,
  }
end

-- The mark that a message at this place of the name meets, if it does.
local function markAt(group, name, range)
  local mark = group.marksMet[name]
  if not mark or mark.isHere then return mark end
  return mark.left > 0 and (range.place or 0) < mark.before and mark or nil
end

-- Parts in the order of the range. `gone`: which of its messages are nothing any more; `met`: the names of those that met a mark.
function lib.divide(group, range, parts)
  local current
  for index = range.from, range.from + range.count - 1 do
    local name = lib.nameOf(range.batch, range.total, index)
    local mark = markAt(group, name, range)
    if mark and mark.isHere then
      local part = partOf(range, index, 1)
      part.from, part.total, part.batch, part.met = 0, 1, name, { name }
      parts[#parts + 1], current = part, nil
    else
      if not current then
        current = partOf(range, index, 0)
        parts[#parts + 1] = current
      end
      current.count = current.count + 1
      if mark then
        current.gone, current.met = current.gone or {}, current.met or {}
        current.gone[index] = true
        current.met[#current.met + 1] = name
      end
    end
  end
  parts[#parts].rest = range.rest
end

function lib.partsOf(group, ranges)
  lib.readMarks(group, ranges)
  local parts = {}
  for _, range in ipairs(ranges) do
    if range.isMarked and not range.blocked then lib.divide(group, range, parts) else parts[#parts + 1] = range end
  end
  for _, part in ipairs(parts) do part.text = lib.rangeText(part.batch, part.total, part.from, part.count, part.lead) end
  return parts
end

-- A message that is nothing any more has left where it was counted.
local function dropped(group, part, n)
  if part.key then
    local leaving = lib.leavingOf(group, part.key)
    leaving.ended = leaving.ended + n
  elseif not part.inLine then
    lib.countStale(group, -n)
  end
end

local function endWatches(group, parts)
  local names = {}
  for _, part in ipairs(parts) do
    for index = part.from, part.from + part.count - 1 do names[#names + 1] = lib.nameOf(part.batch, part.total, index) end
  end
  for first = 1, #names, CHUNK do
    lib.count(group.state, 'watching', -call('HDEL', group.G .. 'watched', unpack(names, first, math.min(first + CHUNK - 1, #names))))
  end
end

-- These parts were taken: what they met is met.
function lib.heed(group, parts)
  local changed, spent, written = {}, {}, {}
  for _, part in ipairs(parts) do
    local n = 0
    for _, name in ipairs(part.met or {}) do
      local mark = group.marksMet[name]
      changed[name] = mark
      if not mark.isHere then
        mark.left = mark.left - 1
        n = n + 1
      end
    end
    if n > 0 then dropped(group, part, n) end
  end
  for name, mark in pairs(changed) do
    if mark.isHere or mark.left == 0 then
      spent[#spent + 1] = name
      group.marksMet[name] = nil
    else
      written[#written + 1], written[#written + 2] = name, lib.markText(mark)
    end
  end
  lib.callWith('HDEL', group.G .. 'marks', spent)
  lib.callWith('HSET', group.G .. 'marks', written)
  if #spent > 0 then lib.countMarks(group, -#spent) end
  if group.watching > 0 then endWatches(group, parts) end
end

function lib.heedTaken(group, taken)
  local parts = {}
  for i, item in ipairs(taken) do parts[i] = item.range end
  lib.heed(group, parts)
end

-- The same for ranges that are taken whole. Answers those of which something is left: where that is not all, `done` knows the rest.
function lib.heedAll(group, ranges)
  local parts, left = lib.partsOf(group, ranges), {}
  lib.heed(group, parts)
  for _, part in ipairs(parts) do
    local n = part.count
    for _ in pairs(part.gone or {}) do n = n - 1 end
    if n > 0 then left[#left + 1] = part end
  end
  return left
end
