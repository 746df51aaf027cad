-- A page of a group's dead letters, the oldest first.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit  3 cursor or ''
-- Returns { next cursor or '', { batch, value, failure record, time of death, ... } }
-- Keeps  nothing is changed. A cursor is a place in time, so letters that are removed meanwhile neither hide nor repeat others.
-- Cost  5 commands.

--@include lib/call
--@include lib/groups

local group = lib.findGroup(ARGV[1])
if not group then return { '', {} } end
local dead, limit = group.G .. 'dead', tonumber(ARGV[2])

-- 1. Where the last page ended: after the message it names, or where that was.
local first = 0
local diedAt, batch = string.match(ARGV[3], '^([%d.]+) (.*)$')
if diedAt then
  local rank = call('ZRANK', dead, batch)
  first = rank and rank + 1 or call('ZCOUNT', dead, '-inf', '(' .. diedAt)
end

-- 2. The page, and whether there is more.
local page = call('ZRANGE', dead, first, first + limit, 'WITHSCORES')
local cursor = ''
if #page > 2 * limit then
  cursor = page[2 * limit] .. ' ' .. page[2 * limit - 1]
  page[2 * limit + 1], page[2 * limit + 2] = nil, nil
end
local ids, times = {}, {}
for i = 1, #page, 2 do ids[#ids + 1], times[#times + 1] = page[i], math.floor(tonumber(page[i + 1])) end
local values = lib.readWith('HMGET', P .. 'batches', ids)
local failures = lib.readWith('HMGET', group.G .. 'failures', ids)
local items = {}
for i, id in ipairs(ids) do
  local n = #items
  items[n + 1], items[n + 2], items[n + 3], items[n + 4] = id, values[i] or '', failures[i] or '0 0 - null', times[i]
end
return { cursor, items }
