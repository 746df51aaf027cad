-- A page of messages as the administration shows them. Each kind of place where messages wait fills it, range by range, until a message does not fit
-- any more: it has as many messages or bytes as it may, or has looked at as many ranges. So a page that is full has a successor.
-- A range to be shown may have `next` (what precedes that message was shown before), `at` and `who`, which go with its messages.
-- Of what waits in lists it shows what marks leave: `heeding` is the store whose marks count, while such a list is looked at.
-- Needs: call, range, groups, finish.

--@include lib/fetch

local AT_A_TIME = 8 -- of those that do not fit no more bytes are read in vain
local SPARE = 200 -- how many ranges of which nothing is to be shown a call may look at

-- `group`: nil for what no group has yet. `errors`: whether the last error is shown, beside the attempts.
function lib.newPage(group, limit, bytes, errors)
  return { group = group, room = limit, bytes = bytes, looks = limit + SPARE, size = 0, items = {}, full = false, errors = errors }
end

-- What of a range fits: a part, and where the first message stands that does not (nil if all do).
function lib.partFor(range, room)
  local first, stop = math.max(range.from, range.next or 0), range.from + range.count
  local part, index = { batch = range.batch, total = range.total, from = first, shown = 0, done = {} }, first
  while index < stop do
    if range.gone and range.gone[index] or lib.unfinished(range, index, 1) == 0 then
      part.done[#part.done + 1] = index - first
    elseif part.shown == room then
      part.count = index - first
      return part, index
    else
      part.shown = part.shown + 1
    end
    index = index + 1
  end
  part.count = index - first
  return part, nil
end

-- What is known of the failures of those that have a name of their own.
function lib.failuresOfParts(page, parts)
  local lone, records = {}, {}
  for _, part in ipairs(parts) do
    if page.group and part.total == 1 then lone[#lone + 1] = part.batch end
  end
  local found = #lone > 0 and lib.readWith('HMGET', page.group.G .. 'failures', lone) or {}
  for i, batch in ipairs(lone) do records[batch] = found[i] and (page.errors and found[i] or string.match(found[i], '^%d+ %d+')) end
  return records
end

function lib.showPart(page, range, part, value, failure)
  local items = page.items
  local n = #items
  items[n + 1] = lib.rangeText(part.batch, part.total, part.from, part.count, range.lead)
  items[n + 2], items[n + 3], items[n + 4] = value or '', table.concat(part.done, ','), failure or ''
  items[n + 5], items[n + 6] = range.at or '', range.who or ''
  page.room = page.room - part.shown
end

-- The parts of ranges that are something, each with the position of its range among them (`of`), and where it begins there (`begins`).
function lib.asMarked(store, ranges)
  --@include lib/heed
  lib.readMarks(store, ranges)
  local divided = {}
  for i, range in ipairs(ranges) do
    local parts, begins = { range }, range.from
    if range.isMarked then
      parts = {}
      lib.divide(store, range, parts)
    end
    for _, part in ipairs(parts) do
      part.of, part.begins, part.at, part.who = i, begins, range.at, range.who
      part.next = range.next and range.next - begins + part.from
      begins = begins + part.count
      divided[#divided + 1] = part
    end
  end
  return divided
end

-- Shows messages of these ranges, in order. Answers how many of them it is done with; where it is full, also the next one's first message not shown.
function lib.fillPage(page, ranges)
  if page.looks <= 0 then
    page.full = true
    return 0, ranges[1].next or ranges[1].from
  end
  page.looks = page.looks - #ranges
  if page.heeding and page.heeding.marks > 0 then
    local divided, all = lib.asMarked(page.heeding, ranges), #ranges
    local n, stopAt = lib.fillParts(page, divided)
    if not page.full then return all end
    local next_ = divided[n + 1]
    return next_.of - 1, stopAt - next_.from + next_.begins
  end
  return lib.fillParts(page, ranges)
end

function lib.fillParts(page, ranges)
  lib.learn(ranges)
  local parts, shown, room, stopAt = {}, {}, page.room, nil
  for i, range in ipairs(ranges) do
    parts[i], stopAt = lib.partFor(range, room)
    room = room - parts[i].shown
    if parts[i].shown > 0 then shown[#shown + 1] = parts[i] end
    if stopAt then break end
  end
  local values, failures, read = lib.valuesOf(shown), lib.failuresOfParts(page, shown), 0
  for i, part in ipairs(parts) do
    if part.shown > 0 then
      read = read + 1
      local value = values[read]
      page.size = page.size + (value and #value or 0)
      if page.size > page.bytes and #page.items > 0 then
        page.full = true
        return i - 1, part.from
      end
      lib.showPart(page, ranges[i], part, value, failures[part.batch])
    end
  end
  if stopAt then
    page.full = true
    return #parts - 1, stopAt
  end
  return #ranges
end
