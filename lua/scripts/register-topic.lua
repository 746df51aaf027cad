-- Puts a topic into the namespace's registry, and says which patterns there are, whose groups its creator makes before it publishes. A subscriber writes its
-- pattern first and reads the registry then: whichever of the two comes second finds the other. Who subscribes to patterns is told of a topic that is new.
--
-- KEYS  meta, never (of `{$bus}`)
-- ARGV  1 topic  2 its number of partitions
-- Returns { now, patterns (`<group> <pattern>`), the number of partitions that it has }; no pattern for a topic of plugins, which none means
-- Keeps  a topic that is registered stays so, with the number that it was made with; then nobody is told. With another number nothing is written.
-- Died or reply lost right after: the client sends it again, and has the patterns from that.
-- Cost  3 commands, 1 more if it is new, 1 more where there are partitions; the number of patterns is bounded, see add-pattern.

--@include lib/call
--@include lib/time

local topic, wanted = ARGV[1], ARGV[2]
local field = 'partitions:' .. topic
local isInternal = string.sub(topic, 1, 1) == '$'
local patterns = isInternal and {} or call('HKEYS', P .. 'patterns')
local has = call('HGET', P .. 'meta', field) or '1'
if has ~= wanted then
  if call('SMISMEMBER', P .. 'topics', topic)[1] == 1 then return { now, {}, tonumber(has) } end
  call('HSET', P .. 'meta', field, wanted)
end
if call('SADD', P .. 'topics', topic) == 1 and not isInternal then call('PUBLISH', P .. 'topics', topic) end
return { now, patterns, tonumber(wanted) }
