-- The end of a session. Needs: call, groups.

function lib.removeSession(group, session)
  call('ZREM', group.G .. 'sessions', session.id)
  call('ZREM', group.G .. 'waiting', session.id)
  call('DEL', session.key, session.leases)
  local roles = lib.readFields(group.state, 'drainer', 'timer')
  if roles.drainer == session.id then call('HDEL', group.state, 'drainer') end
  if roles.timer == session.id then
    call('HDEL', group.state, 'timer', 'timerAt')
    group.wake = true -- another takes the timer over
  end
end
