-- The end of a session. Needs: call, groups.

-- Others take over what it was for the group: its timer, and running dry for suspects.
function lib.resign(group, session)
  local roles = lib.readFields(group.state, 'drainer', 'timer')
  local drains, keepsTime = roles.drainer == session.id, roles.timer == session.id
  if drains then call('HDEL', group.state, 'drainer') end
  if keepsTime then call('HDEL', group.state, 'timer', 'timerAt') end
  if drains or keepsTime then group.wake, group.mustCome = true, true end
end

function lib.removeSession(group, session)
  call('ZREM', group.G .. 'sessions', session.id)
  call('ZREM', group.G .. 'waiting', session.id)
  call('ZREM', group.G .. 'roster', session.id)
  call('DEL', session.key, session.leases)
  lib.resign(group, session)
end
