-- Runs request n of a producer session, once. The hot call of a producer.
--
-- KEYS  meta, never
-- ARGV  1 session  2 number  3 lowest unanswered number  4 batches  5 marks (`<batch><marks>;...`)  6 units (sizes, `3,1,...`; '': each message is one)
--       7 guard calls (MessagePack, see lib/guards; '': none)  8 guard keys (JSON)  9 '', or `-` if its producer keeps units for which there is no room, or the bus that is to be told of room then
--       10.. the batches; the own ids of those marked `i`
-- Returns { 0, now, outcomes, guard errors, outbox has entries (0 or 1) }, { 1, last number } (gap), { 2 } (unknown producer) or
--       { 3 } (the topic was deleted, and this producer is forgotten). Outcomes, of what was not plainly accepted:
--       message, 'duplicate', id  or  message, 'reject', guard, reason, retryMs or -1
-- Keeps  none lost, repeated or overtaken: n runs only after n - 1, and n again answers what n answered; what is accepted is stored, counted
--       in `pending` and waits in every group, or nothing of it is there.
-- Died or reply lost right after: the client sends the same number again and gets the same outcomes.
-- Cost  128 messages in one batch, one group: 9 commands (clock, producer, groups, value, pending, range, count, waiting, number). Each further
--       batch: none. A message alone that is pushed to a session that waits: 14. Each further group: 3. With ordering keys 2 more a group, and 2 per key that has messages already; with a priority 2 a group. In a topic that retains 3 more,
--       and 5 to trim.

local session, number, record, groups = ARGV[1], tonumber(ARGV[2]), nil, nil

-- 0. Without marks and guards?
if ARGV[5] == '' and ARGV[7] == '' then
  --@include lib/publish-plain
end

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/groups
--@include lib/wake
lib.groupsRead = groups
--@include lib/range
--@include lib/batches
--@include lib/enqueue
--@include lib/guard-errors
--@include lib/producer

-- 1. Is it this request's turn?
local answer, last = lib.notItsTurn(session, number, record)
if answer then return answer end
if lib.noted('deleted') > 0 then
  call('DEL', P .. 'p:' .. session, P .. 'p:' .. session .. ':o') -- no request of it that is still on its way shall run
  return { 3 }
end

-- 2. Read all of it, so that nothing is found wrong once something is written.
local batches = lib.readBatches(session, number)
if not batches then return redis.error_reply('INVALID a batch cannot be read') end

-- 3. Accept: in one piece, or with guards unit by unit.
local plan, outcomes, reports = lib.newPlan(), {}, false
if ARGV[7] == '' then
  local position = 0
  for _, batch in ipairs(batches) do
    if lib.exists(batch) then
      outcomes[#outcomes + 1] = { position, 'duplicate', batch.own }
    else
      lib.planRange(plan, batch, 0, batch.total, batch.due)
    end
    position = position + batch.total
  end
  if #plan.batches > 0 and lib.settings().maxWaiting then
    --@include lib/bound
    --@include lib/accept-units
    if plan.backCount + plan.frontCount + #plan.due > lib.roomLeft() then plan, outcomes = lib.acceptUnits(batches) end
  end
else
  --@include lib/author
  --@include lib/finish
  --@include lib/guards
  --@include lib/admission
  --@include lib/admit-units
  author.producer = session .. '-' .. ARGV[2] -- of what this request alone tells others
  -- Applies come before the batches are written, so memory is asked for here: Redis 6.2 looks at the first write only.
  call('HINCRBY', P .. 'meta', 'seq', 0)
  local admitted
  if ARGV[6] == '' and not lib.settings().maxWaiting then
    --@include lib/admit-alone
    admitted = lib.admitAlone(plan, batches, outcomes)
  end
  plan = admitted or lib.admitUnits(plan, batches, outcomes)
  reports = outboxGrew -- what was replaced had someone to be told
end

-- 4. Write: bytes, pending, ranges, counts; wake. Last the number.
if lib.leftOut then
  --@include lib/trim
  lib.trimBatches(plan, batches)
end
lib.pushes = true
lib.enqueue(plan)
lib.writeCounts()
if lib.blocked then lib.awaitRoom() end
if lib.watchers then lib.watchers.tell() end
lib.wakeMarked()
lib.recordRequest(session, number, last, ARGV[3], outcomes)
return { 0, now, lib.flatOutcomes(outcomes), guardErrors, reports and 1 or 0 }
