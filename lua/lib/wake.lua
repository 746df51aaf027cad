-- Wakes sessions that wait for work. One wake per group and script; the woken one wakes the next if it leaves work, so wakes chain and no
-- herd runs. PUBLISH tells whether anyone heard; a session whose process is gone is passed over. Needs: call, counts.

local MOST_TRIES = 8

-- How many more messages the group may have in flight: all that sessions hold, live or not, count against its limit.
function lib.room(group, state)
  if not state.limit then return math.huge end
  return state.limit - (state.inFlight or 0) - lib.counting(group.state, 'inFlight')
end

-- Whether anybody heard it. `more`: what is said besides that there is work.
function lib.tell(group, session, more)
  local bus = string.match(session, '^[^~]*')
  return call('PUBLISH', P .. 'wake:' .. bus, group.ref .. ' ' .. session .. (more or '')) > 0
end

function lib.wake(group)
  local waiting = call('ZRANGE', group.G .. 'waiting', 0, MOST_TRIES - 1)
  if #waiting == 0 then return end
  local state = lib.readFields(group.state, 'paused', 'limit', 'inFlight')
  -- Without room a session could take nothing; whoever makes room wakes one. For a timer one must come all the same.
  if state.paused or not group.mustCome and lib.room(group, state) <= 0 then return end
  for _, session in ipairs(waiting) do
    call('ZREM', group.G .. 'waiting', session)
    if lib.tell(group, session) then return end
  end
end

-- Every group for which work became takable, or for which a session must take over the timer.
function lib.wakeMarked()
  for _, group in pairs(met) do
    if group.wake then
      group.wake = nil
      lib.wake(group)
    end
  end
end

-- Work of this group is due at `due`: unless a session that still waits has its timer at least as early, one must come and set its own.
function lib.setTimerFor(group, due)
  local timer = lib.readFields(group.state, 'timer', 'timerAt')
  local at = tonumber(timer.timerAt or 0)
  if timer.timer and at > now and at <= due and call('ZSCORE', group.G .. 'waiting', timer.timer) then return end
  group.wake, group.mustCome = true, true
end
