-- Takes a topic that was deleted out of the namespace's registry: whoever makes it anew says how many partitions it has.
--
-- KEYS  meta, never (of `{$bus}`)
-- ARGV  1 topic
-- Returns now
-- Keeps  the topic and its number of partitions go together.
-- Died or reply lost right after: the client sends it again.
-- Cost  2 commands.

--@include lib/call
--@include lib/time

call('HDEL', P .. 'meta', 'partitions:' .. ARGV[1])
call('SREM', P .. 'topics', ARGV[1])
return now
