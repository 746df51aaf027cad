-- Pauses or resumes a group, for every process. What is in flight goes on; the rest waits.
--
-- KEYS  meta, never
-- ARGV  1 group  2 paused (0 or 1)
-- Returns 1, or 0 if there is no such group
-- Keeps  a resumed group with takable work has a session on the way to it.
-- Died or reply lost right after: sent again, it does the same again.
-- Cost  3 to 6 commands.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/groups
--@include lib/wake

local group = lib.findGroup(ARGV[1])
if not group then return 0 end
if ARGV[2] == '1' then
  call('HSET', group.state, 'paused', 1)
else
  call('HDEL', group.state, 'paused')
  lib.wake(group)
end
return 1
