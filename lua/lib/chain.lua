-- What a fetch does about ordering keys. Needs: call, counts, range, fetch.

--@include lib/keys

-- A range was divided: what is left of it goes to the head of its line, for nobody else may take it.
function lib.shelve(group, text)
  local range = lib.parseRange(text)
  lib.putInLine(group, range.key, { text }, true)
  call('SADD', group.G .. 'lines', range.key)
  call('HINCRBY', group.G .. 'keys', range.key, -range.count)
  lib.count(group.state, 'ready', -range.count)
  lib.count(group.state, 'held', range.count)
end

function lib.shelveRests(group, rests)
  for _, text in ipairs(rests) do
    local range = lib.parseRange(text)
    if range.priority ~= 0 then lib.count(group.state, 'prioritized', -range.count) end
    lib.shelve(group, text)
  end
end

-- Who takes the first of a key takes what stands behind it as well, as far as there is room, so that a key is not one message a round trip.
function lib.takeChains(group, basket)
  local keys, seen = {}, {}
  for _, item in ipairs(basket.taken) do
    local key = item.range.key
    if key and not seen[key] then
      seen[key] = true
      keys[#keys + 1] = key
    end
  end
  local emptied, hasLine = {}, call('SMISMEMBER', group.G .. 'lines', unpack(keys))
  for i, key in ipairs(keys) do
    if basket.full or basket.messages >= basket.want or #basket.taken >= MOST_RANGES then break end
    if hasLine[i] == 1 then
      local before = basket.messages
      basket.isLine = true -- what is left of a range may stay there
      lib.takeFromList(lib.lineOf(group, key), basket)
      local n = basket.messages - before
      if n > 0 then
        call('HINCRBY', group.G .. 'keys', key, n)
        lib.count(group.state, 'held', -n)
        lib.count(group.state, 'ready', n) -- lowered again by all that is taken
      elseif not basket.full then
        emptied[#emptied + 1] = key
      end
    end
  end
  lib.callWith('SREM', group.G .. 'lines', emptied)
end
