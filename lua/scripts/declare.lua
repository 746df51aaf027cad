-- Registers a producer session with number 0 and makes `meta` and declared groups.
--
-- KEYS  meta, never
-- ARGV  1 session or ''  2.. groups
-- Returns now
-- Keeps  a session that is known keeps its number; a group that exists stays as it is. So it may be repeated at any time.
-- Died or reply lost right after: the client sends it again.
-- Cost  3 commands, and 1 per group that exists, 4 per new one.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/groups
--@include lib/make-group

call('HSETNX', P .. 'meta', 'seq', 0)
for i = 2, #ARGV do lib.makeGroup(ARGV[i]) end
lib.writeCounts()
if ARGV[1] ~= '' then call('SET', P .. 'p:' .. ARGV[1], 0, 'EX', 86400, 'NX') end
return now
