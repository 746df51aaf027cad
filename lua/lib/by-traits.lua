-- Where messages with traits wait. Included where there are any. Needs: call, counts, range.

--@include lib/listed

-- In a sorted set by priority, highest first. Members of one priority begin with numbers from the middle of 14 digits: those for the back rise
-- from it, those for the front fall.
local MIDDLE = 50000000000000

function lib.prioritize(key, ranges, front)
  local sequence, members = lib.nextSequence(#ranges), {}
  for i, range in ipairs(ranges) do
    local number = front and MIDDLE - (sequence + #ranges - i) or MIDDLE + sequence + i - 1
    members[#members + 1], members[#members + 2] = -range.priority, lib.member(number, range.text)
  end
  lib.callWith('ZADD', key, members)
end

-- The ranges without a priority, and those with one, parsed, with the number of their messages.
function lib.byPriority(texts)
  local plain, prioritized, messages = {}, {}, 0
  for _, text in ipairs(texts) do
    if lib.hasTraits(text) and lib.hasPriority(text) and not lib.isUnsorted(text) then
      local range = lib.parseRange(text)
      range.text = text
      prioritized[#prioritized + 1] = range
      messages = messages + range.count
    else
      plain[#plain + 1] = text
    end
  end
  return plain, prioritized, messages
end

-- Puts ranges with traits where they belong; answers those that `ready` takes.
function lib.placeByTraits(group, texts, front, how)
  if how ~= 'out' then
    --@include lib/keys
    local held
    if how == 'returned' then
      texts, held = lib.returnToLines(group, texts)
    else
      texts, held = lib.joinLines(group, texts, front)
      lib.count(group.state, 'held', held)
    end
    lib.count(group.state, 'ready', -held)
  end
  local plain, prioritized, messages = lib.byPriority(texts)
  if #prioritized > 0 then
    lib.prioritize(group.G .. 'priority', prioritized, front)
    lib.count(group.state, 'prioritized', messages)
  end
  return plain
end
