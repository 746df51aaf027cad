-- Wakes sessions that wait for work. One wake per group and script; the woken one wakes the next if it leaves work, so wakes chain and no
-- herd runs. PUBLISH tells whether anyone heard; a session whose process is gone is passed over.

local MOST_TRIES = 8

function lib.wake(group)
  local waiting = call('ZRANGE', group.G .. 'waiting', 0, MOST_TRIES - 1)
  if #waiting == 0 or call('HGET', group.state, 'paused') then return end
  for _, session in ipairs(waiting) do
    call('ZREM', group.G .. 'waiting', session)
    local bus = string.match(session, '^[^~]*')
    if call('PUBLISH', P .. 'wake:' .. bus, group.ref .. ' ' .. session) > 0 then return end
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
  group.wake = true
end
