-- A session that settles takes the next message in the place of the last, so under a limit those that came first would keep all places. Who has waited
-- for long gets the next instead, one at a time. Included where a limit leaves less room than is wanted. Needs: call, time.

local PATIENCE_MS = 1000

-- Whether a place is to be left to a session that has waited for long: it has been told.
function lib.yields(group, session)
  local waiting = group.G .. 'waiting'
  local first = call('ZRANGE', waiting, 0, 1, 'WITHSCORES')
  for i = 1, #first, 2 do
    local other = first[i]
    if other ~= session.id and now - first[i + 1] >= PATIENCE_MS then
      call('ZREM', waiting, other)
      return lib.tell(group, other)
    end
  end
  return false
end
