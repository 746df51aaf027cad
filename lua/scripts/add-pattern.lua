-- Keeps that a group takes part in all topics that a pattern means: who registers a topic from now on makes that group in it.
--
-- KEYS  meta, never (of `{$bus}`)
-- ARGV  1 group  2 pattern
-- Returns { now, whether it is kept (0: there are as many as there may be, and nothing was written), how many there are }
-- Keeps  a pattern that is kept stays as it is.
-- Died or reply lost right after: the client sends it again.
-- Cost  2 commands, 1 more if it is new.

--@include lib/call
--@include lib/time

-- All are read whenever a topic is registered.
local MOST = 1000

local field = ARGV[1] .. ' ' .. ARGV[2]
local count = call('HLEN', P .. 'patterns')
if call('HEXISTS', P .. 'patterns', field) == 1 then return { now, 1, count } end
if count >= MOST then return { now, 0, count } end
call('HSET', P .. 'patterns', field, now)
return { now, 1, count + 1 }
