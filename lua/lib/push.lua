-- The shortest way of a message to a consumer that has nothing to do: leased to a session that waits, and sent with its bytes in the wake-up, so that the session
-- need not ask. Only where a fetch would take this message and nothing else: it is alone, nothing is ready, nothing bounds or holds up the group, and
-- the session whose turn it is said that it takes what is pushed.
-- It is leased only if PUBLISH reached somebody. Whoever does not get it all the same finds its lease number missing, and synchronizes; what was pushed counts no
-- crash until its client has seen it (`unseen`: the first such lease). Needs: call, time, counts, wake.

--@include lib/give

local MOST_PUSHED_BYTES = 65536

-- Answers whether it was pushed, and else whether nobody waits.
function lib.push(group, range, value)
  local waiting = call('ZRANGE', group.G .. 'waiting', 0, MOST_TRIES - 1)
  if #waiting == 0 then return false, true end
  if group.isBehind or lib.counting(group.state, 'ready') > 0 or #value > MOST_PUSHED_BYTES then return false end
  local state = lib.readFields(group.state, 'ready', 'paused', 'limit', 'marks', 'watching', 'drainer')
  if tonumber(state.ready or 0) + tonumber(state.marks or 0) + tonumber(state.watching or 0) > 0 then return false end
  if state.paused or state.limit or state.drainer then return false end
  for _, id in ipairs(waiting) do
    local key = group.G .. 'session:' .. id
    local known = lib.readFields(key, 'pushes', 'lease', 'unseen')
    if known.pushes ~= '1' then return false end
    call('ZREM', group.G .. 'waiting', id)
    local lease = tonumber(known.lease) + 1
    if lib.tell(group, id, ' push ' .. lease .. ' ' .. range .. '\n' .. value) then
      call('HSET', group.G .. 'lease:' .. id, lease, range .. '\n' .. now)
      call('HSET', key, 'lease', lease, 'unseen', known.unseen and known.unseen ~= '' and known.unseen or lease)
      lib.count(group.state, 'inFlight', 1)
      return true
    end
  end
  return false
end

-- A message alone becomes available to a group: pushed, or as any other.
function lib.giveAlone(group, range, value)
  local wasWoken = group.wake
  local isPushed, nobodyWaits = lib.push(group, range, value)
  if isPushed then return end
  lib.give(group, { range }, 1)
  if nobodyWaits then group.wake = wasWoken end
end
