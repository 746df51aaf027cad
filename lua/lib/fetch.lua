-- Taking work. What ordering keys and priorities add to the choice of what is next belongs into `takeReady`.
-- Needs: call, counts, range.

local MOST_MESSAGES, MOST_RANGES, PAGE = 1000, 64, 8

-- The bytes of several ranges: lone messages by one HMGET, whole batches by one MGET, parts by GETRANGE.
function lib.valuesOf(ranges)
  local lone, loneAt, whole, wholeAt, values = {}, {}, {}, {}, {}
  for i, range in ipairs(ranges) do
    if range.total == 1 then
      lone[#lone + 1], loneAt[#loneAt + 1] = range.batch, i
    elseif range.count == range.total then
      whole[#whole + 1], wholeAt[#wholeAt + 1] = P .. 'b:' .. range.batch, i
    else
      --@include lib/slice
      values[i] = lib.slice(range.batch, range.total, range.from, range.count) or false
    end
  end
  local found = lib.readWith('HMGET', P .. 'batches', lone)
  for i, at in ipairs(loneAt) do values[at] = found[i] end
  if #whole > 0 then
    found = call('MGET', unpack(whole))
    for i, at in ipairs(wholeAt) do values[at] = found[i] end
  end
  return values
end

-- Takes up to `want` messages and `wantBytes` bytes (but one range at least) from the head of the list, dividing the last range if need be.
-- Answers { range, text, value } each.
function lib.takeReady(group, want, wantBytes)
  local list, taken, messages, size = group.G .. 'ready', {}, 0, 0
  local remainder
  want = math.min(want, MOST_MESSAGES)
  while messages < want and #taken < MOST_RANGES do
    local texts = call('LRANGE', list, #taken, math.min(#taken + PAGE, MOST_RANGES) - 1)
    local ranges, room = {}, want - messages
    for i, text in ipairs(texts) do
      if room <= 0 then break end
      local range = lib.parseRange(text)
      ranges[i] = range
      range.text = text
      if range.count > room then
        remainder = lib.rangeText(range.batch, range.total, range.from + room, range.count - room, range.again)
        range.count = room
        range.text = lib.rangeText(range.batch, range.total, range.from, room, range.again)
      end
      room = room - range.count
    end
    local values = lib.valuesOf(ranges)
    local full = #texts < PAGE
    for i, range in ipairs(ranges) do
      size = size + (values[i] and #values[i] or 0)
      if size > wantBytes and #taken > 0 then
        remainder = nil -- it belonged to a later range
        full = true
        break
      end
      taken[#taken + 1] = { range = range, text = range.text, value = values[i] }
      messages = messages + range.count
    end
    if full then break end
  end
  if #taken == 0 then return taken, 0 end
  if remainder then call('LSET', list, #taken - 1, remainder) end
  call('LTRIM', list, remainder and #taken - 1 or #taken, -1)
  lib.count(group.state, 'ready', -messages)
  return taken, messages
end


-- Leases what was taken, under the session's next numbers.
function lib.lease(group, session, taken, messages)
  local fields = {}
  for i, item in ipairs(taken) do
    fields[#fields + 1], fields[#fields + 2] = session.lease + i, item.text
  end
  lib.callWith('HSET', session.leases, fields)
  lib.count(group.state, 'inFlight', messages)
  session.lease = session.lease + #taken
end

-- What a client must know of lone messages that failed before: [position, `<attempts> <crashes>`, ...]
function lib.failuresOf(group, taken)
  local ids, at, told = {}, {}, {}
  for i, item in ipairs(taken) do
    if item.range.total == 1 then ids[#ids + 1], at[#at + 1] = item.range.batch, i - 1 end
  end
  local records = lib.readWith('HMGET', group.G .. 'failures', ids)
  for i, position in ipairs(at) do
    if records[i] then told[#told + 1], told[#told + 2] = position, string.match(records[i], '^%d+ %d+') end
  end
  return told
end
