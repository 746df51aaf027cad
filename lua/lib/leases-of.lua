-- All that a session holds. Its client has bounded it by what it had room for. Needs: call, range, groups, finish.

function lib.leasesOf(session)
  local flat, leases, ranges = call('HGETALL', session.leases), {}, {}
  for i = 1, #flat, 2 do
    local range = lib.parseRange(flat[i + 1])
    leases[#leases + 1] = { number = tonumber(flat[i]), range = range }
    ranges[#ranges + 1] = range
  end
  lib.learn(ranges)
  table.sort(leases, function(a, b) return a.number < b.number end)
  return leases
end

-- How many messages of each lease are open, and how many of them are probably running: the first of all, in the order of the leases. What was pushed and
-- not seen yet (`unseen`: the first such lease) is not.
function lib.findRunning(leases, concurrency, unseen)
  local started = {}
  unseen = tonumber(unseen) or math.huge
  for _, lease in ipairs(leases) do
    lease.open = lib.unfinished(lease.range, lease.range.from, lease.range.count)
    lease.running = lease.number < unseen and math.min(concurrency, lease.open) or 0
    -- Of a key only the first can be.
    local key = lease.range.key
    if key and lease.open > 0 then
      lease.running = started[key] and 0 or math.min(1, lease.running)
      started[key] = true
    end
    concurrency = concurrency - lease.running
  end
end
