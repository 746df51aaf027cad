-- Pages of what is in flight: session by session in the order of their names, lease by lease in the order in which they were given.
-- Needs: all of page, session.

--@include lib/leases-of

local MOST_SESSIONS, MOST_LEASES = 100, 5000

-- The ranges of a session's leases from a number on, and how many leases it has.
function lib.rangesFrom(session, least)
  local numbers, ranges, leases = {}, {}, lib.leasesOf(session)
  for _, lease in ipairs(leases) do
    if lease.number >= least then
      numbers[#numbers + 1], ranges[#ranges + 1] = lease.number, lease.range
      lease.range.at, lease.range.who = string.match(lease.range.tail, '%d+'), session.id
    end
  end
  return numbers, ranges, #leases
end

-- Answers where to go on, if there is more: { session, lease, message }.
function lib.pageLeases(page, group, place)
  local sessions = call('ZRANGEBYLEX', group.G .. 'roster', place and '[' .. place[1] or '-', '+', 'LIMIT', 0, MOST_SESSIONS + 1)
  local read = 0
  for i, id in ipairs(sessions) do
    if i > MOST_SESSIONS or read >= MOST_LEASES then
      page.full = true
      return { id, 0, 0 }
    end
    local least = place and place[1] == id and tonumber(place[2]) or 0
    local numbers, ranges, n = lib.rangesFrom(lib.sessionOf(group, id), least)
    read = read + n
    if least > 0 and numbers[1] == least then ranges[1].next = tonumber(place[3]) end
    for first = 1, #numbers, AT_A_TIME do
      local some = {}
      for at = first, math.min(first + AT_A_TIME - 1, #numbers) do some[#some + 1] = ranges[at] end
      local done, stopAt = lib.fillPage(page, some)
      if page.full then return { id, numbers[first + done], stopAt } end
    end
  end
end

-- What the sessions of the page say of themselves: { session, info, ... }
function lib.infosOf(page, group)
  local told, infos = {}, {}
  for i = 6, #page.items, 6 do
    local id = page.items[i]
    if id ~= '' and not told[id] then
      told[id] = true
      infos[#infos + 1], infos[#infos + 2] = id, call('HGET', lib.sessionOf(group, id).key, 'info') or ''
    end
  end
  return infos
end
