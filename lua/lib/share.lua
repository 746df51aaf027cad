-- How much of one key a fetch takes. Of a key one message runs at a time, so there is to be some of other keys. Needs: call, range, fetch.

--@include lib/listed

-- As many messages as leave some to each range that may be taken, or one under a limit of the group. The rest of a range is in the key's line then, from
-- where it is taken if there is room after all (lib/chain).
local function sharePerKey(basket)
  if not basket.share then
    local ranges = math.min(MOST_RANGES, math.max(1, call('LLEN', basket.group.G .. 'ready')))
    basket.share = math.max(1, math.ceil(basket.want / ranges))
  end
  return basket.share
end

-- How many messages of a range with traits may be taken where there is `room`, and the room that there is for it and what follows. What is unsorted is
-- divided when it is known whether it may be taken at all (lib/sort): then `range.most` may.
function lib.shareOf(basket, range, room)
  if range.key then return math.min(room, sharePerKey(basket)), room end
  if not range.listed or lib.keysOf(range)[2] then return room, room end
  range.most = math.min(room, sharePerKey(basket))
  return range.count, room + math.max(0, range.count - range.most)
end
