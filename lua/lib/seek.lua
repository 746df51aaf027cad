-- Looking for a message in the leases of a group, a bounded number at a call. Sessions come and go, and their order changes at every renewal. So the live ones
-- are scanned first: a scan meets all that are there from its beginning to its end. Then those that were fenced off, from the last to the first: whoever left
-- the live ones meanwhile is there, and what leaves there moves nothing past the cursor.
-- Needs: call, range, groups, session.

local MOST_SESSIONS, MOST_LEASES = 16, 2000

function lib.newBudget()
  return { sessions = MOST_SESSIONS, leases = MOST_LEASES }
end

-- The lease of a session that has the message: { session, number, range }.
function lib.leaseIn(group, id, wanted, budget)
  local session = lib.sessionOf(group, id)
  local flat = call('HGETALL', session.leases)
  budget.sessions, budget.leases = budget.sessions - 1, budget.leases - #flat / 2
  for i = 2, #flat, 2 do
    if string.find(flat[i], wanted.batch, 1, true) then
      local range = lib.parseRange(flat[i])
      if range.batch == wanted.batch and range.from <= wanted.from and wanted.from < range.from + range.count then
        return { session = session, number = tonumber(flat[i - 1]), range = range }
      end
    end
  end
end

function lib.isSpent(budget)
  return budget.sessions <= 0 or budget.leases <= 0
end

-- `ids`: of a page, those that were not looked at yet. Answers the lease, or nil and where to go on, or nil and nil when none has it.
function lib.seekLive(group, wanted, budget, cursor, ids)
  while true do
    for i, id in ipairs(ids) do
      if lib.isSpent(budget) then return nil, 'live ' .. cursor .. ' ' .. table.concat(ids, ' ', i) end
      local lease = lib.leaseIn(group, id, wanted, budget)
      if lease then return lease end
    end
    if cursor == 'end' then return end
    local page = call('ZSCAN', group.G .. 'sessions', cursor, 'COUNT', MOST_SESSIONS)
    cursor, ids = page[1] == '0' and 'end' or page[1], {}
    for i = 1, #page[2], 2 do ids[#ids + 1] = page[2][i] end
  end
end

function lib.seekExpired(group, wanted, budget, index)
  for at = index, 0, -1 do
    if lib.isSpent(budget) then return nil, 'expired ' .. string.format('%d', at) end
    local id = call('LINDEX', group.G .. 'expired', at)
    local lease = id and lib.leaseIn(group, id, wanted, budget)
    if lease then return lease end
  end
end

-- wanted: the range of the one message. from: '' or where an earlier call stopped.
function lib.seekLease(group, wanted, from, budget)
  local expired = string.match(from, '^expired (%d+)$')
  if not expired then
    local cursor, page = string.match(from, '^live (%S+) (.*)$')
    local ids = {}
    for id in string.gmatch(page or '', '%S+') do ids[#ids + 1] = id end
    local lease, rest = lib.seekLive(group, wanted, budget, cursor or '0', ids)
    if lease or rest then return lease, rest end
    expired = call('LLEN', group.G .. 'expired') - 1
  end
  return lib.seekExpired(group, wanted, budget, tonumber(expired))
end
