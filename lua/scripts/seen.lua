-- The client of a session has what was pushed to it (lib/push), up to a lease: from here on a crash is counted.
--
-- KEYS  meta, !consume
-- ARGV  1 group  2 session  3 lease
-- Returns 1
-- Keeps  what was pushed behind that lease is not seen yet; nothing is made of a session that is gone.
-- Died or reply lost right after: it is noted, or its next request (advance) notes it.
-- Cost  2 commands.

--@include lib/call
--@include lib/groups

local group = lib.groupOf(ARGV[1])
local key, lease = group.G .. 'session:' .. ARGV[2], tonumber(ARGV[3])
local known = lib.readFields(key, 'unseen', 'lease')
local unseen = tonumber(known.unseen or '')
if unseen and unseen <= lease then
  call('HSET', key, 'unseen', tonumber(known.lease) > lease and lease + 1 or '')
end
return 1
