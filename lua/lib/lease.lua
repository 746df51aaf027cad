-- Leases: number -> range, and since when it is leased. What of a range is finished is told by the batch's marks; the lease goes when all of it is.
-- Needs: call, counts, range, finish.

-- `5,6:3:2` -> list of { lease, from or nil, count or nil }
function lib.parseParts(text)
  local parts = {}
  for item in string.gmatch(text, '[^,]+') do
    local number, from, n = string.match(item, '^(%d+):(%d+):(%d+)$')
    parts[#parts + 1] = { lease = tonumber(number or item), from = tonumber(from), count = tonumber(n) }
  end
  return parts
end

-- number -> range, of those that the session holds.
function lib.loadLeases(session, numbers)
  local held = {}
  if #numbers == 0 then return held end
  local texts = lib.readWith('HMGET', session.leases, numbers)
  local ranges = {}
  for i, number in ipairs(numbers) do
    if texts[i] and not held[number] then
      held[number] = lib.parseRange(texts[i])
      ranges[#ranges + 1] = held[number]
    end
  end
  lib.learn(ranges)
  return held
end

-- The messages that a part names, within the lease's own.
function lib.within(range, part)
  if not part.from then return range.from, range.count end
  local from = math.max(part.from, range.from)
  return from, math.max(0, math.min(part.from + part.count, range.from + range.count) - from)
end

-- Done, with nothing to say about it.
function lib.settleAcks(group, held, acks, freed, refused)
  for _, ack in ipairs(acks) do
    local range = held[ack.lease]
    if range then
      local from, n = lib.within(range, ack)
      lib.count(group.state, 'inFlight', -lib.finish(range, from, n, 'done'))
      if lib.unfinished(range, range.from, range.count) == 0 then
        held[ack.lease] = nil
        freed[#freed + 1] = ack.lease
      end
    else
      refused[#refused + 1] = ack.lease
    end
  end
end

function lib.writeLeases(session, held, freed, shrunk)
  lib.callWith('HDEL', session.leases, freed)
  for number, range in pairs(shrunk) do
    local text = held[number] and lib.rangeText(range.batch, range.total, range.from, range.count, range.lead)
    if text then call('HSET', session.leases, number, text .. range.tail) end
  end
end
