-- Needs: call, counts, range, fetch.

-- Fills the basket from the messages with scores (priorities turned round) within bounds.
function lib.takePrioritized(group, basket, least, most)
  local key, members, before = group.G .. 'priority', {}, basket.messages
  local n, remainder = lib.fill(basket, function(first, last)
    local page, texts = call('ZRANGEBYSCORE', key, least, most, 'LIMIT', first, last - first + 1), {}
    for i, member in ipairs(page) do
      members[first + i], texts[i] = member, lib.memberRange(member)
    end
    return texts
  end)
  if n == 0 then return end
  local gone = {}
  for i = 1, n do gone[i] = members[i] end
  lib.callWith('ZREM', key, gone)
  if remainder and lib.parseRange(remainder).key then
    --@include lib/chain
    lib.count(group.state, 'prioritized', -lib.parseRange(remainder).count)
    lib.shelve(group, remainder)
    remainder = nil
  end
  if remainder then call('ZADD', key, -lib.parseRange(remainder).priority, string.sub(members[n], 1, 14) .. remainder) end
  lib.count(group.state, 'prioritized', before - basket.messages)
end
