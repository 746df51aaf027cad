-- What waits behind all that a group has still to make ready: what is published while it replays (lib/replay), and in topics that retain what no group has
-- yet, since its heir may have to replay first. Ranges as they are published, without lines and priorities, which they join when they are made ready. They
-- count in `ready`, or in `unclaimed`, as well. Needs: call, counts, groups.

function lib.putLater(store, ranges, messages)
  if #ranges == 0 then return end
  lib.callWith('RPUSH', store.G .. 'later', ranges)
  lib.count(store.state, store.laterField or 'later', messages)
end

-- A group that is behind is known to whoever reads the groups.
function lib.fallBehind(group)
  group.isBehind = true
  call('HSET', group.state, 'behind', 1)
  call('HSET', P .. 'groups', '::behind@' .. lib.generationOf(group), 1)
end

function lib.isAbreast(group)
  group.isBehind = false
  call('HDEL', group.state, 'behind')
  call('HDEL', P .. 'groups', '::behind@' .. lib.generationOf(group))
end
