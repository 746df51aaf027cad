-- Needs: call, counts (written), groups.

-- Messages that wait: those of the group that has most, or what no group has yet; and what is delayed. What is in flight does not.
function lib.messagesWaiting()
  local meta = lib.readFields(P .. 'meta', 'scheduled', 'unclaimed', 'unclaimedStale')
  local most = (meta.unclaimed or 0) - (meta.unclaimedStale or 0)
  for _, group in ipairs(lib.allGroups()) do
    local state = lib.readFields(group.state, 'ready', 'stale', 'held', 'retrying')
    most = math.max(most, (state.ready or 0) - (state.stale or 0) + (state.held or 0) + (state.retrying or 0))
  end
  return most + (meta.scheduled or 0)
end
