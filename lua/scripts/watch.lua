-- Somebody watches the topic from now on, or goes on to, or does no longer. Consumers are told when it begins, so that they say what their handlers return.
--
-- KEYS  meta, never
-- ARGV  1 for how long (ms); 0: no longer
-- Returns { now, whether it was watched before (0 or 1) }
-- Keeps  who stops watching takes nothing away from others: the flag goes only if nobody hears the channel, and no time is ever made shorter.
-- Died or reply lost right after: sent again, it does the same again; at worst the time passes.
-- Cost  3 commands; where it begins, 1 more per group and 1 per bus that consumes. Those beyond the bounds learn it with their next advance.

--@include lib/call
--@include lib/time
--@include lib/groups

local MOST_GROUPS, MOST_SESSIONS = 100, 100

local meta, forMs = P .. 'meta', tonumber(ARGV[1])
local untilMs = tonumber(call('HGET', meta, 'watched') or 0)
local was = untilMs > now

if forMs == 0 then
  -- Empty, it says nothing to those who hear it.
  if was and call('PUBLISH', P .. 'events', '') == 0 then call('HDEL', meta, 'watched') end
  return { now, was and 1 or 0 }
end

call('HSET', meta, 'watched', string.format('%.0f', math.max(untilMs, now + forMs)))
if not was then
  local buses = {}
  for i, group in ipairs(lib.allGroups()) do
    if i > MOST_GROUPS then break end
    for _, session in ipairs(call('ZRANGE', group.G .. 'sessions', 0, MOST_SESSIONS - 1)) do buses[string.match(session, '^[^~]*')] = true end
  end
  for bus in pairs(buses) do call('PUBLISH', P .. 'wake:' .. bus, 'watched') end
end
return { now, was and 1 or 0 }
