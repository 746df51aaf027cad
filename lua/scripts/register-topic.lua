-- Puts a topic into the namespace's registry, and says which patterns there are, whose groups its creator makes before it publishes. A subscriber writes its
-- pattern first and reads the registry then: whichever of the two comes second finds the other. Who subscribes to patterns is told of a topic that is new.
--
-- KEYS  meta, never (of `{$bus}`)
-- ARGV  1 topic
-- Returns { now, patterns (`<group> <pattern>`) }; none for a topic of plugins, which no pattern means
-- Keeps  a topic that is registered stays so; then nobody is told.
-- Died or reply lost right after: the client sends it again, and has the patterns from that.
-- Cost  2 commands, 1 more if it is new; the number of patterns is bounded, see add-pattern.

--@include lib/call
--@include lib/time

local topic = ARGV[1]
local isInternal = string.sub(topic, 1, 1) == '$'
local patterns = isInternal and {} or call('HKEYS', P .. 'patterns')
if call('SADD', P .. 'topics', topic) == 1 and not isInternal then call('PUBLISH', P .. 'topics', topic) end
return { now, patterns }
