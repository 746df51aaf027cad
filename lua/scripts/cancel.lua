-- Ends a message wherever it waits: put off, retried, in a list, in the line of its key, or where no group has it yet. What runs, or is about to, goes on, but
-- may be told. Dead letters stay.
--
-- KEYS  meta, never
-- ARGV  1 id  2 token, fresh for each message that is cancelled  3 cursor or ''  4 whether who holds it is told (0 or 1)
-- Returns { ended: by how many groups, or 1 if none had it, in all calls with this token, held: by how many groups in this call, told: of these, cursor or '',
--       outbox has entries (0 or 1) }
-- Keeps  a message ends or is taken, never both: where the leases do not fit one call it is watched meanwhile, and whoever takes it ends the watch.
-- Died or reply lost right after: sent again it goes on, and answers what the first answered. A watch that stays harms nobody, and goes at a renewal.
-- Cost  about 6 commands to find it, 8 per group, 1 per session that is looked through, 10 per group where it ends; at most 50 groups, 16 sessions and some 2,000
--       leases a call.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/locate
--@include lib/seek
--@include lib/visit
--@include lib/withdraw
--@include lib/pass-keys
--@include lib/watching

local REMEMBERED_S = 3600

local id, token, cursor, tells = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local record = P .. 'p:' .. token
local before = tonumber(call('GET', record) or 0)
local ended, held, told = before, 0, 0

-- What follows it is told in the name of the token and a number that no other call has.
local function endAs(group, range)
  author.producer, author.numbers = token .. '-' .. string.format('%.0f', lib.nextSequence(1)), {}
  ended = ended + lib.endOne(group, range, 'cancelled')
end

local function tellHolder(group, place)
  local lease = place.lease
  local bus = lease and string.match(lease.session.id, '^[^~]*')
  local payload = lease and table.concat({ group.ref, lease.session.id, 'cancel', lease.number, place.range.from }, ' ')
  return lease and call('PUBLISH', P .. 'wake:' .. bus, payload) > 0
end

local message, rest = lib.findMessage(id), ''
local scheduled = message and lib.scheduledAs(message)
if scheduled then
  endAs(nil, lib.withdrawScheduled(message, scheduled))
elseif message and lib.isUnclaimed(message) then
  endAs(lib.nobody(), lib.withdrawUnclaimed(message))
elseif message then
  rest = lib.visit(message, cursor, lib.newBudget(), true, function(group, place)
    if place.at == 'waiting' or place.at == 'retrying' then
      endAs(group, lib.withdraw(group, message, place))
      return true
    elseif place.at == 'leased' then
      held = held + 1
      if tells and tellHolder(group, place) then told = told + 1 end
    end
  end)
  for _, group in ipairs(lib.groupsByAge()) do
    if group.leaving then lib.passKeys(group) end
  end
end
lib.writeCounts()
if call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end
lib.wakeMarked()
if ended > before then call('SET', record, ended, 'EX', REMEMBERED_S) end
return { ended, held, told, rest, outboxGrew and 1 or 0 }
