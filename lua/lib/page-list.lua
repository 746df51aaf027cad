-- Pages of a list of ranges. Lists are taken from at their heads, so a place in one is the range that is next, and where it stood: if it is gone, all
-- that stood before it is gone too, and what is left begins at the head. It is looked for in a bounded number of places.
-- Needs: all of page.

local SLACK = 5000 -- how many ranges may have been put before it since
local REACH = 50000 -- as near to the head it is found at once; else in steps of so many:
local STEP = 5000

-- Where among `first` to `last` what is left of a range stands of which some was taken: at the head, or behind what was put before it since.
function lib.restOf(list, anchor, first, last)
  local fine, was = pcall(lib.parseRange, anchor)
  if not fine or not was.count then return nil end
  local tail = ',' .. was.total .. ',' .. was.batch
  for i, text in ipairs(call('LRANGE', list, first, last)) do
    if string.sub(text, -#tail) == tail then
      local is = lib.parseRange(text)
      if is.batch == was.batch and is.from > was.from and is.from + is.count == was.from + was.count then return first + i - 1 end
    end
  end
end

-- Answers the index from which to go on, and the message within its range; nil and a nearer index from which to look again.
function lib.placeInList(list, index, anchor, next_)
  index = math.min(index, math.max(0, call('LLEN', list) - 1))
  if call('LINDEX', list, index) == anchor then return index, next_ end
  if lib.restOf(list, anchor, 0, 0) then return 0, next_ end
  if index <= REACH then
    local found = call('LPOS', list, anchor, 'MAXLEN', index + SLACK) or lib.restOf(list, anchor, 1, SLACK)
    return found or 0, found and next_ or 0
  end
  for i, text in ipairs(call('LRANGE', list, index - STEP, index + SLACK)) do
    if text == anchor then return index - STEP + i - 1, next_ end
  end
  return nil, index - STEP
end

-- Fills the page; answers where to go on, if there is more: { index, range, message }.
function lib.pageList(page, list, place)
  local index, next_ = 0, nil
  if place then index, next_ = lib.placeInList(list, tonumber(place[1]), place[2], tonumber(place[3])) end
  if not index then
    page.full = true
    return { next_, place[2], place[3] }
  end
  while true do
    local texts, ranges = call('LRANGE', list, index, index + AT_A_TIME - 1), {}
    for i, text in ipairs(texts) do ranges[i] = lib.parseRange(text) end
    if #ranges == 0 then return nil end
    ranges[1].next = next_
    local n, stopAt = lib.fillPage(page, ranges)
    if page.full then return { index + n, texts[n + 1], stopAt } end
    if #texts < AT_A_TIME then return nil end
    index, next_ = index + n, nil
  end
end
