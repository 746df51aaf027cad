-- Reads the heads of the outbox, a share of the limit for each destination.
--
-- KEYS  meta, never
-- ARGV  1 limit
-- Returns { more (0 or 1), { destination, tag, entry, ... } }
-- Keeps  nothing is changed: an entry goes with `outbox-trim`, once its destination has answered.
-- Cost  1 command, and 1 per destination.

--@include lib/call

local limit = tonumber(ARGV[1])
local waiting = call('HGETALL', P .. 'outbox')
local destinations = #waiting / 2
local share = math.max(1, math.floor(limit / math.max(1, destinations)))

local entries, read, all = {}, 0, 0
for i = 1, #waiting, 2 do
  local destination = waiting[i]
  all = all + tonumber(waiting[i + 1])
  if read < limit then
    for _, entry in ipairs(call('LRANGE', P .. 'outbox:' .. destination, 0, math.min(share, limit - read) - 1)) do
      local n = #entries
      entries[n + 1], entries[n + 2], entries[n + 3] = destination, string.match(entry, '^%S+ %d+'), entry
      read = read + 1
    end
  end
end
return { all > read and 1 or 0, entries }
