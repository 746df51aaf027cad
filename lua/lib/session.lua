-- A session: one subscription's live identity. It lives while it is in `sessions`; what removes it from there fences it off.
-- Needs: call, time, groups.

function lib.sessionOf(group, id)
  return { id = id, key = group.G .. 'session:' .. id, leases = group.G .. 'lease:' .. id }
end

function lib.isAlive(group, session)
  return call('ZSCORE', group.G .. 'sessions', session.id) ~= false
end

-- The group's last sign of life. Was it silent for longer than its sessions' renewals allow (Redis was away), nobody is given up before
-- everyone could renew once more. Renewals come every third of a lease; half of it leaves room for a late one.
function lib.hear(group, heard, leaseMs)
  heard = tonumber(heard or 0)
  if heard > 0 and now - heard > leaseMs / 2 then
    local grace = now + math.ceil(leaseMs / 2)
    call('HSET', group.state, 'heard', now, 'graceUntil', grace)
    return grace
  end
  if now - heard >= leaseMs / 20 then call('HSET', group.state, 'heard', now) end
end
