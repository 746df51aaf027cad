-- Registers a producer session with number 0, makes `meta` and declared groups, and keeps the topic's settings.
--
-- KEYS  meta, never
-- ARGV  1 session or ''  2 settings (`<name>=<value>;...`; without a value it is unset)  3.. groups
-- Returns now
-- Keeps  a session that is known keeps its number; a group that exists stays as it is, a setting that is not named as well. So it may be repeated
--       at any time. Producers that wait for room are told of a bound that leaves some.
-- Died or reply lost right after: the client sends it again.
-- Cost  4 commands, and 1 per group that exists, 4 per new one, 1 per setting and 1 for all; where retention changes about 8 to trim.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/make-group

call('HSETNX', P .. 'meta', 'seq', 0)
if call('HDEL', P .. 'groups', '::deleted') == 1 then call('PERSIST', P .. 'groups') end -- it begins anew
for name, value in string.gmatch(ARGV[2], '(%w+)=([^;]*);') do
  if name == 'retain' and value == '' and call('EXISTS', P .. 'log') == 1 then value = 'n0' end -- it ends step by step
  if value == '' then call('HDEL', P .. 'groups', ':' .. name) else call('HSET', P .. 'groups', ':' .. name, value) end
end
for i = 3, #ARGV do lib.makeGroup(ARGV[i]) end
if string.find(ARGV[2], 'retain=', 1, true) then
  --@include lib/log-trim
  lib.trimLog()
end
lib.writeCounts()
if ARGV[2] ~= '' and call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if ARGV[1] ~= '' then call('SET', P .. 'p:' .. ARGV[1], 0, 'EX', 86400, 'NX') end
return now
