-- Raises a session's epoch, so that requests still on their way die, and tells what was applied and what is held.
--
-- KEYS  meta, never
-- ARGV  1 group  2 session  3 new epoch  4 lease numbers that the client knows (`5,6`)
-- Returns 2 (lost), or { now, applied, last lease, known leases that are held, held ones not known, their { range, value, ... }, failures, skips }
-- Keeps  a request of an older epoch never runs again. Lease numbers that the client knows are not given out again, though a server that was
--       rolled back may have forgotten them.
-- Died or reply lost right after: the client syncs again, with a higher epoch.
-- Cost  7 commands, and 1 per range told.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/author
--@include lib/finish
--@include lib/fetch
--@include lib/session

local group = lib.groupOf(ARGV[1])
local session = lib.sessionOf(group, ARGV[2])
if not lib.isAlive(group, session) then return 2 end
endingGroup = group

local known = lib.readFields(session.key, 'epoch', 'n', 'lease', 'ttl')
local lastLease, isKnown = tonumber(known.lease), {}
for number in string.gmatch(ARGV[4], '%d+') do
  number = tonumber(number)
  isKnown[number] = true
  lastLease = math.max(lastLease, number)
end

-- What is held, in lease order.
local flat, numbers, texts = call('HGETALL', session.leases), {}, {}
for i = 1, #flat, 2 do
  local number = tonumber(flat[i])
  numbers[#numbers + 1], texts[number] = number, flat[i + 1]
end
table.sort(numbers)

-- What of it the client does not know, with its bytes and what is finished of it.
local held, unknown, taken, ranges = {}, {}, {}, {}
for _, number in ipairs(numbers) do
  if isKnown[number] then
    held[#held + 1] = number
  else
    local range = lib.parseRange(texts[number])
    unknown[#unknown + 1], ranges[#ranges + 1] = number, range
    taken[#taken + 1] = { range = range, text = lib.rangeText(range.batch, range.total, range.from, range.count, range.lead) }
  end
end
local values = lib.valuesOf(ranges)
lib.learn(ranges)
local told, skips = {}, {}
for i, item in ipairs(taken) do
  told[#told + 1], told[#told + 2] = item.text, values[i]
  local range, finished = item.range, {}
  for index = range.from, range.from + range.count - 1 do
    if lib.unfinished(range, index, 1) == 0 then finished[#finished + 1] = index - range.from end
  end
  if #finished > 0 then skips[#skips + 1], skips[#skips + 2] = i - 1, table.concat(finished, ',') end
end
local failures = lib.failuresOf(group, taken)

call('ZADD', group.G .. 'sessions', 'XX', now + tonumber(known.ttl), session.id)
call('HSET', session.key, 'epoch', math.max(tonumber(known.epoch), tonumber(ARGV[3])), 'lease', lastLease, 'unseen', '')
return { now, tonumber(known.n), lastLease, held, unknown, told, failures, skips }
