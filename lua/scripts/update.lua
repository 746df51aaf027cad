-- Changes a message where it waits: its bytes, with them its priority, or when it may be taken. What runs, or is about to, goes on as it was; tried again,
-- it has the new bytes.
--
-- KEYS  meta, never
-- ARGV  1 id  2 token, fresh for each change  3 cursor or ''  4 delay in ms or ''  5 whether its priority is another (0 or 1)
--       6 bytes, a batch of one, or ''  7 SHA-1 of the bytes that they are made from
-- Returns { 'gone' } (nothing of it is left), { 'stale' } (its bytes are others by now: nothing was changed), or
--       { 'ok', now, changed: in how many groups, or 1 if none had it, in all calls with this token, held: by how many groups in this call, cursor or '' }
-- Keeps  the message waits once in each group where it waited, and what follows it follows it. Messages of a key stay in their order, but for one that is put
--       off, which joins its line when it is due.
-- Died or reply lost right after: sent again it goes on, and answers what the first answered.
-- Cost  about 6 commands to find it, 8 per group, 1 per session that is looked through, 12 per group where it waits; at most 50 groups, 16 sessions and some
--       2,000 leases a call.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/finish
--@include lib/session
--@include lib/locate
--@include lib/seek
--@include lib/visit
--@include lib/enqueue
--@include lib/withdraw
--@include lib/retrying
--@include lib/failures
--@include lib/change

local REMEMBERED_S = 3600

local id, token, cursor, delay, moves, value = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6]
local record = P .. 'p:' .. token
local before = tonumber(call('GET', record) or 0)

local message = lib.findMessage(id)
local current = message and lib.envelopeOf(message)
if not current then
  if before > 0 then return { 'ok', now, before, 0, '' } end
  return { 'gone' }
end
if value ~= '' and current ~= value and redis.sha1hex(current) ~= ARGV[7] then return { 'stale' } end

local bytes = value == '' and current or value
local props = lib.batchCount(bytes) and lib.moreThanSource(bytes)
local change = { delay = delay, moves = moves, found = props and lib.properties(props) or {} }
local changed, held, rest = before, 0, ''
local member = lib.scheduledAs(message)
if member then
  lib.changeScheduled(message, member, change)
  changed = 1
elseif lib.isUnclaimed(message) then
  local several = message.several
  local range = message.lone and { from = 0, count = 1, total = 1, batch = message.lone }
    or { from = several.index, count = 1, total = several.total, batch = several.batch }
  lib.changeUnclaimed(message, range, change)
  changed = 1
else
  rest = lib.visit(message, cursor, lib.newBudget(), true, function(group, place)
    if place.at == 'waiting' then
      lib.changeWaiting(group, message, place, change)
      changed = changed + 1
    elseif place.at == 'retrying' then
      lib.changeRetrying(group, place, change)
      changed = changed + 1
    elseif place.at == 'leased' then
      held = held + 1
    end
  end)
end
if value ~= '' and changed > before then call('HSET', P .. 'batches', message.lone, value) end
lib.writeCounts()
lib.wakeMarked()
if changed > before then call('SET', record, changed, 'EX', REMEMBERED_S) end
return { 'ok', now, changed, held, rest }
