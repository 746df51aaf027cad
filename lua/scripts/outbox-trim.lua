-- Removes what a destination has answered from the head of its list.
--
-- KEYS  meta, never
-- ARGV  1 destination  2.. tags, in the order in which they were read
-- Returns the number of entries left
-- Keeps  only entries with these tags go, so two relaying clients do not remove each other's.
-- Died or reply lost right after: trimmed again, it finds other tags at the head and removes nothing.
-- Cost  5 commands.

--@include lib/call
--@include lib/counts

local destination, answered = ARGV[1], {}
for i = 2, #ARGV do answered[ARGV[i]] = true end
local list = P .. 'outbox:' .. destination

local gone = 0
for _, entry in ipairs(call('LRANGE', list, 0, #ARGV - 2)) do
  if not answered[string.match(entry, '^%S+ %d+')] then break end
  gone = gone + 1
end
if gone > 0 then
  call('LTRIM', list, gone, -1)
  lib.count(P .. 'meta', 'outbox', -gone)
  lib.writeCounts()
end
local left = call('LLEN', list)
if left > 0 then
  if gone > 0 then call('HSET', P .. 'outbox', destination, left) end
else
  call('HDEL', P .. 'outbox', destination)
end
return left
