-- A page of a group's dead letters, the oldest first.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit  3 cursor (a time of death) or ''  4 bytes: what is larger ends the page, but for its first
-- Returns { next cursor or '', { batch, value, failure record, time of death, ... } }
-- Keeps  nothing is changed. A cursor is a place in time, so letters that are removed meanwhile neither hide nor repeat others.
-- Cost  3 commands, and 1 per 8 letters.

--@include lib/call
--@include lib/groups

local group = lib.findGroup(ARGV[1])
if not group then return { '', {} } end
local dead, limit, most = group.G .. 'dead', tonumber(ARGV[2]), tonumber(ARGV[4])
local AT_A_TIME = 8 -- of those that do not fit no more bytes are read in vain

-- 1. What died after the last of the page before: no two die at one moment.
local page = call('ZRANGEBYSCORE', dead, ARGV[3] == '' and '-inf' or '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)

-- 2. As much of it as fits.
local n, size, values = 0, 0, {}
for at = 1, math.min(limit, #page / 2) do
  if #values < at then
    local ids = {}
    for i = at, math.min(at + AT_A_TIME - 1, limit, #page / 2) do ids[#ids + 1] = page[2 * i - 1] end
    for _, value in ipairs(call('HMGET', P .. 'batches', unpack(ids))) do values[#values + 1] = value or '' end
  end
  size = size + #values[at]
  if size > most and n > 0 then break end
  n = at
end
if n == 0 then return { '', {} } end

-- 3. What is known of them, and where the next page begins.
local ids, items = {}, {}
for i = 1, n do ids[i] = page[2 * i - 1] end
local failures = lib.readWith('HMGET', group.G .. 'failures', ids)
for i, id in ipairs(ids) do
  local at = #items
  items[at + 1], items[at + 2], items[at + 3], items[at + 4] = id, values[i], failures[i] or '0 0 - null', math.floor(tonumber(page[2 * i]))
end
return { #page > 2 * n and page[2 * n] or '', items }
