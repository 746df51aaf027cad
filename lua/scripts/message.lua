-- One message by its id: its bytes, and where each group has it.
--
-- KEYS  meta, never
-- ARGV  1 id  2 cursor or ''
-- Returns {} (nothing of it is left), or { now, bytes or false, cursor or '', unclaimed (0 or 1), when it is due or '', { group, where, since, failure record,
--       session, its info, ... } }
--       where: `scheduled` (the group will have it) `ready` `held` (in the line of its key) `inFlight` `retrying` `dead` `done`; since: when it was leased or died,
--       or is due; else ''. A message that all groups have done is told as long as its batch lives.
-- Keeps  nothing is changed. A message that is taken between two calls may be told where it was.
-- Cost  4 commands, and about 6 per group; at most 50 groups, 16 sessions and some 2,000 leases are looked through at a call.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/session
--@include lib/locate
--@include lib/seek
--@include lib/visit

local MOST_OF_A_LINE = 1000

local message = lib.findMessage(ARGV[1])
if not message then return {} end
local value = lib.envelopeOf(message)
local props = value and lib.batchCount(value) and lib.moreThanSource(value)
local key = props and lib.properties(props)[KEY]

-- A long line is not read to its end: who is not at its head is behind it.
local function standsInLine(group, range)
  local line = group.line .. key[1]
  for _, text in ipairs(call('LRANGE', line, 0, MOST_OF_A_LINE - 1)) do
    local other = lib.parseRange(text)
    if other.batch == range.batch and other.from <= range.from and range.from < other.from + other.count then return true end
  end
  return call('LLEN', line) > MOST_OF_A_LINE
end

local told = {}
local function tell(group, where, since, session)
  local failure = message.lone and call('HGET', group.G .. 'failures', message.lone) or ''
  local info = session and call('HGET', session.key, 'info') or ''
  local n = #told
  told[n + 1], told[n + 2], told[n + 3], told[n + 4] = lib.groupName(group), where, since, failure
  told[n + 5], told[n + 6] = session and session.id or '', info
end

local member = lib.scheduledAs(message)
local due = member and call('ZSCORE', P .. 'scheduled', member)
if due then
  for _, group in ipairs(lib.allGroups()) do tell(group, 'scheduled', due) end
  return { now, value or false, '', 0, due, told }
end
if lib.isUnclaimed(message) then return { now, value or false, '', 1, '', told } end
local cursor = lib.visit(message, ARGV[2], lib.newBudget(), false, function(group, place)
  if place.at == 'waiting' then
    tell(group, key and standsInLine(group, place.range) and 'held' or 'ready', '')
  elseif place.at == 'leased' then
    tell(group, 'inFlight', string.sub(place.lease.range.tail, 2), place.lease.session)
  elseif place.at == 'retrying' then
    tell(group, 'retrying', call('ZSCORE', group.G .. 'retry', place.member) or '')
  elseif place.at == 'dead' then
    tell(group, 'dead', place.diedAt)
  elseif place.at == 'done' then
    tell(group, 'done', '')
  end
end)
return { now, value or false, cursor, 0, '', told }
