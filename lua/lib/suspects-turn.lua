-- What a session does about suspects. Needs: call.

-- A suspect runs with nothing beside it. A session that holds nothing takes one; if none comes by, one session at a time, the drainer, runs dry.
function lib.suspectsTurn(group, session, state, turn)
  if call('EXISTS', session.leases) == 0 then
    if state.drainer == session.id then call('HDEL', group.state, 'drainer') end
    turn.solo = true
  elseif not state.drainer or state.drainer == session.id or not call('ZSCORE', group.G .. 'sessions', state.drainer) then
    if state.drainer ~= session.id then call('HSET', group.state, 'drainer', session.id) end
    turn.drain = true
  else
    return
  end
  turn.want, turn.waits = turn.solo and 1 or 0, false
end
