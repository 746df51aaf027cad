-- Sets a group's limit, or lifts it, for every process.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit, or '' for none
-- Returns 1, or 0 if there is no such group
-- Keeps  what is in flight beyond a lower limit goes on; a group that has work and room has a session on the way to it.
-- Died or reply lost right after: sent again, it does the same again.
-- Cost  2 to 5 commands.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/groups
--@include lib/wake

local group = lib.findGroup(ARGV[1])
if not group then return 0 end
if ARGV[2] == '' then
  call('HDEL', group.state, 'limit')
else
  call('HSET', group.state, 'limit', ARGV[2])
end
lib.wake(group)
return 1
