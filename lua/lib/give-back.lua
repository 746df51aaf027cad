-- Giving leases back. Needs: call, counts, range, groups, finish, lease.

--@include lib/ready
--@include lib/unfinished-parts
--@include lib/rehome
--@include lib/returned

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
          lib.addReturned(back, range, first, several)
        else
          for index = first + several - 1, first, -1 do
            local id = lib.rehome(range, index)
            if range.total > 1 then lib.noteUnfailed(group, id) end
            back[#back + 1] = lib.loneRange(id, lib.oneOf(range, index).lead)
          end
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
  lib.makeReady(group, lib.reversed(ranges), messages - #suspects, true, 'returned')
  lib.makeSuspect(group, lib.reversed(suspects))
  lib.count(group.state, 'inFlight', -messages)
  return messages
end
