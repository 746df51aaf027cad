-- Taking work. What is next is decided in `takeReady`.
-- Needs: call, time, counts, range.

local MOST_MESSAGES, MOST_RANGES = 1000, 64
-- Ranges are read so many at first, since one may be all that is taken, then more.
local PAGE, LARGER_PAGE = 8, 32
-- So many messages at a fetch are found to have to wait for their keys' turns.
local MOST_BLOCKED = 500

-- The bytes of several ranges: lone messages by one HMGET, whole batches by one MGET, parts by GETRANGE.
function lib.valuesOf(ranges)
  local lone, loneAt, whole, wholeAt, values = {}, {}, {}, {}, {}
  for i, range in ipairs(ranges) do
    if range.blocked then
      values[i] = false
    elseif range.total == 1 then
      lone[#lone + 1], loneAt[#loneAt + 1] = range.batch, i
    elseif range.count == range.total then
      whole[#whole + 1], wholeAt[#wholeAt + 1] = P .. 'b:' .. range.batch, i
    else
      --@include lib/slice
      values[i] = lib.slice(range.batch, range.total, range.from, range.count, range.key) or false
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

-- Fills the basket { want, wantBytes, taken, messages, size, full } with up to `want` messages and `wantBytes` bytes (but one range at least), dividing
-- the last range if need be. `read(first, last)` answers ranges' texts from where they wait. Answers how many left it whole or in part, and what of
-- the last remains there.
function lib.fill(basket, read)
  local taken, n, remainder, page, mostBlocked = basket.taken, 0, nil, PAGE, basket.blocked + MOST_BLOCKED
  while not basket.full and basket.messages < basket.want and #taken < MOST_RANGES and not remainder and basket.blocked < mostBlocked do
    local asked = math.min(page, MOST_RANGES - #taken)
    -- Whatever is read is paid for by its bytes: no more than will fit, if the rest is as large as what there is.
    if basket.size > 0 then asked = math.min(asked, math.max(1, math.ceil((basket.wantBytes - basket.size) * #taken / basket.size))) end
    page = LARGER_PAGE
    local texts = read(n, n + asked - 1)
    local ranges, room, unsorted = {}, basket.want - basket.messages, false
    for i, text in ipairs(texts) do
      if room <= 0 then break end
      local range, most = lib.parseRange(text), room
      ranges[i] = range
      range.text = text
      if range.traits ~= '' and not basket.isLine then
        --@include lib/share
        most, room = lib.shareOf(basket, range, room)
        unsorted = unsorted or range.listed
      end
      if range.count > most then
        local rest = lib.rangeText(range.batch, range.total, range.from + most, range.count - most, range.lead)
        if range.key and not basket.isLine then range.rest = rest else remainder = rest end
        range.count, range.uncut = most, range.count
        range.text = lib.rangeText(range.batch, range.total, range.from, most, range.lead)
      end
      room = room - range.count
      if remainder then break end
    end
    if unsorted then
      --@include lib/sort
      ranges = lib.sortRanges(basket.group, basket, ranges)
    end
    if basket.heeding then
      --@include lib/heed
      ranges = lib.partsOf(basket.heeding, ranges)
    end
    local values = lib.valuesOf(ranges)
    for i, range in ipairs(ranges) do
      basket.size = basket.size + (values[i] and #values[i] or 0)
      if #taken >= MOST_RANGES or basket.size > basket.wantBytes and #taken > 0 then
        remainder = nil -- what it was belonged to a later range
        if range.cutOff then
          --@include lib/cut-off
          remainder = lib.leftOf(range.cutOff)
        end
        basket.full = true
        break
      end
      if not range.cutOff then n = n + 1 end
      if range.isSorted then basket.sorted[#basket.sorted + 1] = range end
      if range.blocked then
        basket.blocked = basket.blocked + range.count
      else
        taken[#taken + 1] = { range = range, text = range.text, value = values[i], gone = range.gone }
        basket.messages = basket.messages + range.count
        if range.key and not range.isSorted or range.leads then basket.keyed = true end
      end
      if range.rest then basket.rests[#basket.rests + 1] = range.rest end
    end
    if #texts < asked then break end
  end
  return n, remainder
end

function lib.takeFromList(list, basket)
  local n, remainder = lib.fill(basket, function(first, last) return call('LRANGE', list, first, last) end)
  if n == 0 then return end
  if remainder and not basket.isLine and lib.hasTraits(remainder) and lib.parseRange(remainder).key then
    --@include lib/chain
    lib.shelve(basket.group, remainder)
    remainder = nil
  end
  if remainder then call('LSET', list, n - 1, remainder) end
  call('LTRIM', list, remainder and n - 1 or n, -1)
end

-- What is next: priorities above 0, then `ready`, then those below 0. Answers { range, text, value } each, and the number of messages.
-- `limited`: no more than one message of a key, for those behind it would hold places that they cannot use.
function lib.takeReady(group, want, wantBytes, prioritized, limited)
  local basket = {
    group = group, want = math.min(want, MOST_MESSAGES), wantBytes = wantBytes, taken = {}, messages = 0, size = 0, full = false, rests = {},
    share = limited and 1, sorted = {}, blocked = 0, singles = group.isMarked or group.singles,
  }
  if group.isMarked then basket.heeding = group end
  if prioritized > 0 then
    --@include lib/take-prioritized
    lib.takePrioritized(group, basket, '-inf', '(0')
    lib.takeFromList(group.G .. 'ready', basket)
    lib.takePrioritized(group, basket, '(0', '+inf')
  else
    lib.takeFromList(group.G .. 'ready', basket)
  end
  if #basket.sorted > 0 then
    --@include lib/sort
    lib.noteSorted(group, basket.sorted)
  end
  if basket.keyed then
    --@include lib/chain
    lib.shelveRests(group, basket.rests)
    if not limited then lib.takeChains(group, basket) end
  end
  if basket.heeding then
    --@include lib/heed
    lib.heedTaken(group, basket.taken)
  end
  lib.count(group.state, 'ready', -basket.messages)
  return basket.taken, basket.messages
end

function lib.mayExpire(value)
  return value and #value > 1 and string.byte(value, 2) % 2 == 1 -- EXPIRES
end

function lib.anyMayExpire(taken)
  for _, item in ipairs(taken) do
    if lib.mayExpire(item.value) then return true end
  end
  return false
end

-- Leases what was taken, under the session's next numbers.
function lib.lease(group, session, taken, messages)
  local fields, tail = {}, '\n' .. now
  for i, item in ipairs(taken) do
    fields[#fields + 1], fields[#fields + 2] = session.lease + i, item.text .. tail
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
    local failed = records[i] and string.match(records[i], '^(%d+ %d+) [^.]') -- `.` is the reason of no failure
    if failed then told[#told + 1], told[#told + 2] = position, failed end
  end
  return told
end
