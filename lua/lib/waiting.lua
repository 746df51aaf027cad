-- A session that found too little waits to be woken, and one of those that wait holds the group's timer.
-- Needs: call, time, wake.

-- When the next put-off message is due; nil if none is.
function lib.nextDue(group, retrying, scheduled)
  local due
  if retrying > 0 then
    due = tonumber(call('ZRANGE', group.G .. 'retry', 0, 0, 'WITHSCORES')[2])
  end
  if scheduled > 0 then
    local at = tonumber(call('ZRANGE', P .. 'scheduled', 0, 0, 'WITHSCORES')[2])
    if at and (not due or at < due) then due = at end
  end
  return due
end

function lib.join(group, session)
  call('ZADD', group.G .. 'waiting', 'NX', now, session.id)
end

function lib.leave(group, session, state)
  call('ZREM', group.G .. 'waiting', session.id)
  if state.timer == session.id then call('HDEL', group.state, 'timer', 'timerAt') end
end

-- Whether this waiting session is to come back at `due`: unless another that still waits does so as early.
function lib.takeTimer(group, session, state, due)
  local at = tonumber(state.timerAt or 0)
  local holder = state.timer
  if holder and holder ~= session.id and at > now and at <= due and call('ZSCORE', group.G .. 'waiting', holder) then return false end
  if holder ~= session.id or at ~= due then call('HSET', group.state, 'timer', session.id, 'timerAt', due) end
  return true
end
