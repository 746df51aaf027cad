-- How far a run has come, for whoever watches.
--
-- KEYS  meta, never
-- ARGV  1 group  2 session  3 lease  4 index  5 attempt  6 value (JSON)
-- Returns whether the topic is watched (0 or 1)
-- Keeps  only who holds the message is heard; nothing is stored.
-- Died or reply lost right after: it was told, or was not.
-- Cost  3 commands, 1 more where somebody watches.

--@include lib/call
--@include lib/time
--@include lib/range
--@include lib/groups
--@include lib/watching

local group = lib.groupOf(ARGV[1])
local text = lib.watchers and call('HGET', group.G .. 'lease:' .. ARGV[2], ARGV[3])
if text then
  local fields = ',"attempt":' .. tonumber(ARGV[5]) .. ',"value":' .. ARGV[6]
  lib.watchers.note('progress', group, lib.parseRange(text), tonumber(ARGV[4]), 1, fields)
  lib.watchers.tell()
end
return lib.watched and 1 or 0
