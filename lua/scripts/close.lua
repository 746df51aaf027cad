-- Closes a session: gives back all that it holds but the runs that the client names. With such runs it stays, `closing`, until the last of
-- them is settled or its lease ends; without any it is gone.
--
-- KEYS  meta, never
-- ARGV  1 group  2 session  3 running (`5,6:3:2`)
-- Returns the number of messages given back, or -1 (lost)
-- Keeps  what is given back is at the head of `ready`, in order, attempts unchanged.
-- Died or reply lost right after: the session is closed; closing it again answers 0 or -1.
-- Cost  11 commands, and 1 per 1,000 leases; 4 per message given back from between two running ones.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/lease
--@include lib/give-back
--@include lib/remove-session

local group = lib.groupOf(ARGV[1])
local session = lib.sessionOf(group, ARGV[2])
if not lib.isAlive(group, session) then return -1 end
endingGroup = group
local known = lib.readFields(session.key, 'solo', 'ttl')
session.solo = tonumber(known.solo)

local numbers = {}
for i, number in ipairs(call('HKEYS', session.leases)) do numbers[i] = tonumber(number) end
local held = lib.loadLeases(session, numbers)

-- 1. What is not running, lease by lease: the gaps between the running parts.
local running = {}
for _, part in ipairs(lib.parseParts(ARGV[3])) do
  local range = held[part.lease]
  if range then
    local from, n = lib.within(range, part)
    local parts = running[part.lease] or {}
    if n > 0 then parts[#parts + 1] = { from, n } end
    running[part.lease] = parts
  end
end
local idle = {}
for number, range in pairs(held) do
  local at, parts = range.from, running[number] or {}
  table.sort(parts, function(a, b) return a[1] < b[1] end)
  for _, part in ipairs(parts) do
    if part[1] > at then idle[#idle + 1] = { lease = number, from = at, count = part[1] - at } end
    at = math.max(at, part[1] + part[2])
  end
  local stop = range.from + range.count
  if stop > at then idle[#idle + 1] = { lease = number, from = at, count = stop - at } end
end

-- 2. Give it back.
local freed, shrunk = {}, {}
local released = lib.giveBack(group, session, held, idle, freed, shrunk, {})
if group.leaving then
  --@include lib/pass-keys
  lib.passKeys(group)
end
lib.writeLeases(session, held, freed, shrunk)
lib.writeFinished()
lib.writeCounts()

-- 3. Go, or stay until the runs are over.
if next(held) == nil then
  lib.removeSession(group, session)
else
  call('HSET', session.key, 'closing', 1)
  call('ZADD', group.G .. 'sessions', 'XX', now + tonumber(known.ttl), session.id)
  call('ZREM', group.G .. 'waiting', session.id)
  lib.resign(group, session)
end
lib.wakeMarked()
return released
