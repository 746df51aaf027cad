-- Leases: number -> range. What of a range is finished is told by the batch's marks; the lease goes when all of it is.
-- Needs: call, counts, range, finish, ready, rehome.

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

-- Gives parts of leases back unstarted: to the head of `ready`, in order, attempts unchanged. A lease shrinks at its ends; from its middle a
-- message leaves under a name of its own. `freed` and `shrunk` collect what to write of the leases. Answers the number of messages.
function lib.giveBack(group, session, held, parts, freed, shrunk, refused)
  table.sort(parts, function(a, b)
    if a.lease ~= b.lease then return a.lease > b.lease end
    return (a.from or 0) > (b.from or 0)
  end)
  local ranges, suspects, messages = {}, {}, 0
  for _, part in ipairs(parts) do
    local range = held[part.lease]
    if range then
      local from, n = lib.within(range, part)
      local open = lib.unfinishedParts(range, from, n)
      local back = part.lease == session.solo and suspects or ranges
      local atEnd, atStart = from + n == range.from + range.count, from == range.from
      for i = #open, 1, -1 do
        local first, several = open[i][1], open[i][2]
        messages = messages + several
        if atEnd or atStart then
          back[#back + 1] = lib.rangeText(range.batch, range.total, first, several)
        else
          for index = first + several - 1, first, -1 do back[#back + 1] = lib.loneRange(lib.rehome(range, index)) end
        end
      end
      if atEnd then
        range.count = range.count - n
      elseif atStart then
        range.from, range.count = range.from + n, range.count - n
      end
      if range.count == 0 or lib.unfinished(range, range.from, range.count) == 0 then
        held[part.lease] = nil
        freed[#freed + 1] = part.lease
      else
        shrunk[part.lease] = range
      end
    else
      refused[#refused + 1] = part.lease
    end
  end
  lib.makeReady(group, lib.reversed(ranges), messages - #suspects, true)
  lib.makeSuspect(group, lib.reversed(suspects))
  lib.count(group.state, 'inFlight', -messages)
  return messages
end

function lib.writeLeases(session, held, freed, shrunk)
  lib.callWith('HDEL', session.leases, freed)
  for number, range in pairs(shrunk) do
    if held[number] then call('HSET', session.leases, number, lib.rangeText(range.batch, range.total, range.from, range.count)) end
  end
end
