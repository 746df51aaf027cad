-- Pages of a sorted set of ranges. A place in one is a score and the 14 digits that follow it in order, which stay whatever becomes of their member, so
-- nothing that moves is missed or shown twice. Needs: all of page.

-- How many members precede that place.
function lib.rankFrom(key, score, sequence)
  local low, high = call('ZCOUNT', key, '-inf', '(' .. score), call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(string.sub(call('ZRANGE', key, middle, middle)[1], 1, 14)) < tonumber(sequence) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- Of the members of ranks `first` and on, before `stop`. Answers where to go on, if there is more: { score, sequence, message }.
function lib.pageSet(page, key, place, first, stop)
  local rank, next_ = first, nil
  if place then rank, next_ = math.max(first, lib.rankFrom(key, place[1], place[2])), tonumber(place[3]) end
  while rank < stop do
    local flat, ranges = call('ZRANGE', key, rank, math.min(rank + AT_A_TIME, stop) - 1, 'WITHSCORES'), {}
    if #flat == 0 then return nil end
    for i = 1, #flat, 2 do
      local range = lib.parseRange(lib.memberRange(flat[i]))
      range.at = flat[i + 1]
      ranges[#ranges + 1] = range
    end
    if next_ and string.sub(flat[1], 1, 14) == place[2] then ranges[1].next = next_ end
    local n, stopAt = lib.fillPage(page, ranges)
    if page.full then return { flat[2 * n + 2], string.sub(flat[2 * n + 1], 1, 14), stopAt } end
    rank, next_ = rank + n, nil
  end
end
