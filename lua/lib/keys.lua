-- The lines of ordering keys. Of each key a group has messages that are out (ready, leased, retrying or suspect: one range, or what one session
-- holds), counted in the hash `keys`, and its line behind them, in order. A key is there only while it has messages.
-- The set `lines` has every key that has a line; one whose line ran out stays in it until that is found, when its turn passes: so nobody asks after each message.
-- Of a batch whose messages have keys of their own nobody looks at the keys before it is taken: it waits in `ready` unsorted, and while any does, so does
-- what joins the back after it, or a key's messages would be overtaken. Lines are thus older than all that is unsorted, and go first. What has a priority
-- must know its key's turn at once: the first that finds something unsorted joins it, and says that such batches are to be sorted from now on.
-- A store is a group, or what no group has yet. Included where messages have keys. Needs: call, counts, range, groups.

--@include lib/ready
--@include lib/leaving
--@include lib/listed

function lib.lineOf(store, key)
  return store.line .. key
end

-- `ranges`, in their order, before or behind those that stand in the line.
function lib.putInLine(store, key, ranges, front)
  if front then
    lib.callWith('LPUSH', lib.lineOf(store, key), lib.reversed(ranges))
  else
    lib.callWith('RPUSH', lib.lineOf(store, key), ranges)
  end
end

-- key -> its ranges, in their order; the keys in theirs.
function lib.byKey(texts)
  local keys, ranges = {}, {}
  for _, text in ipairs(texts) do
    local range = lib.hasTraits(text) and lib.parseRange(text)
    if range and range.key then
      range.text = text
      if not ranges[range.key] then
        ranges[range.key] = {}
        keys[#keys + 1] = range.key
      end
      table.insert(ranges[range.key], range)
    end
  end
  return keys, ranges
end

function lib.unsortedIn(store)
  local field = store.unsortedField or 'unsorted'
  return tonumber(call('HGET', store.state, field) or 0) + lib.counting(store.state, field)
end

local function asUnsorted(range)
  local again = string.sub(range.lead, 1, #range.lead - #range.traits)
  local traits = lib.traitsText(range.priority, range.place, range.key or range.listed, range.listed and not range.keys and '&' or '*')
  return lib.rangeText(range.batch, range.total, range.from, range.count, again .. traits)
end

local function noteSorting()
  if lib.noted('sorts') > 0 then return end
  call('HSET', P .. 'groups', '::sorts', 1)
  topicNotes.sorts = 1
end

-- Ranges that join the back, as they are to wait there: unsorted, or each with one key or none.
function lib.leaveUnsorted(store, texts)
  local before, more, waiting = lib.unsortedIn(store), 0, {}
  for _, text in ipairs(texts) do
    local range = lib.hasTraits(text) and lib.parseRange(text)
    if range and range.key and range.priority ~= 0 then noteSorting() end
    if not range or not (range.key or range.listed) then
      waiting[#waiting + 1] = text
    elseif before + more > 0 or range.listed and lib.noted('sorts') == 0 then
      more = more + range.count
      waiting[#waiting + 1] = asUnsorted(range)
    elseif range.listed then
      for index = range.from, range.from + range.count - 1 do
        waiting[#waiting + 1] = lib.rangeText(range.batch, range.total, index, 1, lib.oneOf(range, index).lead)
      end
    else
      waiting[#waiting + 1] = text
    end
  end
  lib.count(store.state, store.unsortedField or 'unsorted', more)
  return waiting
end

-- Messages join their lines: where none of a key is out its first range is. Answers what does not stand in a line, in its order, and the number
-- of messages that do.
function lib.joinLines(store, texts, front)
  if not front then texts = lib.leaveUnsorted(store, texts) end
  local keys, ranges = lib.byKey(texts)
  if #keys == 0 then return texts, 0 end
  local out = lib.readWith('HMGET', store.G .. 'keys', keys)
  local starts, lined, inLine, held = {}, {}, {}, 0
  for i, key in ipairs(keys) do
    local first = 1
    if not out[i] then
      starts[#starts + 1], starts[#starts + 2] = key, ranges[key][1].count
      first = 2
    end
    local behind = {}
    for at = first, #ranges[key] do
      local range = ranges[key][at]
      behind[#behind + 1] = range.text
      inLine[range.text] = true
      held = held + range.count
    end
    if #behind > 0 then
      lib.putInLine(store, key, behind, front)
      lined[#lined + 1] = key
    end
  end
  lib.callWith('HSET', store.G .. 'keys', starts)
  lib.callWith('SADD', store.G .. 'lines', lined)
  local rest = {}
  for _, text in ipairs(texts) do
    if not inLine[text] then rest[#rest + 1] = text end
  end
  return rest, held
end

-- What a session gives back, or recovery takes from it: collected until all that it held is known.
function lib.returnToLines(group, texts)
  local keys, ranges = lib.byKey(texts)
  local messages = 0
  for _, key in ipairs(keys) do
    local leaving = lib.leavingOf(group, key)
    local ahead = {}
    for _, range in ipairs(ranges[key]) do
      ahead[#ahead + 1] = range
      messages = messages + range.count
    end
    -- What is collected later stands before what was collected earlier: recovery goes from the last session's end to the first's.
    for _, range in ipairs(leaving.returned) do ahead[#ahead + 1] = range end
    leaving.returned = ahead
  end
  local rest = {}
  for _, text in ipairs(texts) do
    local range = lib.hasTraits(text) and lib.parseRange(text)
    if not (range and range.key) then rest[#rest + 1] = text end
  end
  return rest, messages
end

-- The keys of which something ended or came back: what came back stands at the head of its line, and where nothing is out any more the next goes.
function lib.passKeys(group)
  local keys = {}
  for key in pairs(group.leaving or {}) do keys[#keys + 1] = key end
  if #keys == 0 then return end
  local leaving, hash = group.leaving, group.G .. 'keys'
  group.leaving = nil
  local out, hasLine = lib.readWith('HMGET', hash, keys), call('SMISMEMBER', group.G .. 'lines', unpack(keys))
  local kept, gone, lined, emptied = {}, {}, {}, {}
  local first, firstMessages, nexts, nextMessages = {}, 0, {}, 0
  for i, key in ipairs(keys) do
    local returned, left = leaving[key].returned, tonumber(out[i] or 0) - leaving[key].ended
    local back = {}
    for at, range in ipairs(returned) do back[at] = range.text end
    for _, range in ipairs(returned) do left = left - range.count end
    if left <= 0 and #returned > 0 then
      left = returned[1].count
      first[#first + 1] = table.remove(back, 1)
      firstMessages = firstMessages + left
    elseif left <= 0 and hasLine[i] == 1 then
      local text = call('LPOP', lib.lineOf(group, key))
      if text then
        left = lib.parseRange(text).count
        nexts[#nexts + 1] = text
        nextMessages = nextMessages + left
      else
        emptied[#emptied + 1] = key
      end
    end
    if #back > 0 then
      lib.putInLine(group, key, back, true)
      lined[#lined + 1] = key
      for _, text in ipairs(back) do lib.count(group.state, 'held', lib.parseRange(text).count) end
    end
    if left > 0 then kept[#kept + 1], kept[#kept + 2] = key, left else gone[#gone + 1] = key end
  end
  lib.count(group.state, 'held', -nextMessages)
  lib.callWith('HSET', hash, kept)
  lib.callWith('HDEL', hash, gone)
  lib.callWith('SADD', group.G .. 'lines', lined)
  lib.callWith('SREM', group.G .. 'lines', emptied)
  lib.makeReady(group, first, firstMessages, true, 'out')
  lib.makeReady(group, nexts, nextMessages, #nexts > 0 and lib.unsortedIn(group) > 0, 'out')
end
