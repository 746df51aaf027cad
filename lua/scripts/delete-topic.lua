-- Deletes a topic in steps. The first takes all that it has from sight, and notes that it is deleted: from there on its sessions are lost, and producers and
-- consumers that come begin a new topic of that name, whose messages do not mix with what is being removed. Each step then ends a bounded number of messages.
-- When nothing is left, and the outbox has been relayed, the last deletes the topic's keys. The note stays for a day, as long as entries of producers do, so
-- that each of those learns of it.
--
-- KEYS  meta, never
-- ARGV  1 how: `unused` (if nobody uses it), `force`, or '' to go on with a deletion that began  2 limit  3 producer for reports
-- Returns { 1, consumers, messages that wait or run, outbox entries } (in use: nothing was done), or
--       { 0, ended, more (0 or 1), outbox entries, whether a topic of that name is there (0 or 1) }
-- Keeps  all that it had ends by `finish`; what those ends tell other topics is relayed before the outbox goes.
-- Died or reply lost right after: sent again, it goes on.
-- Cost  the first step 4 commands, and 5 per group; the others as remove-group.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/author
--@include lib/finish
--@include lib/session
--@include lib/batch-time
--@include lib/removal
--@include lib/watching

local NOTED_S = 86400

local how, limit = ARGV[1], math.min(tonumber(ARGV[2]), 1000)
author.producer = ARGV[3]
local meta = lib.readFields(P .. 'meta', 'scheduled', 'unclaimed', 'outbox', 'unclaimedStale')
local scheduled, unclaimed, outbox = tonumber(meta.scheduled or 0), tonumber(meta.unclaimed or 0), tonumber(meta.outbox or 0)
local isThere = lib.noted('deleted') == 0 and call('EXISTS', P .. 'meta') == 1

-- 1. Does anybody use it?
if how == 'unused' and isThere then
  local consumers, messages = 0, scheduled + unclaimed - tonumber(meta.unclaimedStale or 0)
  for _, group in ipairs(lib.allGroups()) do
    consumers = consumers + call('ZCOUNT', group.G .. 'sessions', now, '+inf')
    for _, count in ipairs(call('HMGET', group.state, 'ready', 'inFlight', 'retrying', 'held')) do messages = messages + tonumber(count or 0) end
    messages = messages - tonumber(call('HGET', group.state, 'stale') or 0)
  end
  if consumers + messages + outbox > 0 then return { 1, consumers, messages, outbox } end
end

-- 2. Take it from sight.
if how ~= '' and isThere then
  --@include lib/detach
  for _, group in ipairs(lib.allGroups()) do lib.beginRemoval(group, group.ref) end
  if unclaimed > 0 then lib.detachUnclaimed() end
  if scheduled > 0 then lib.detachScheduled() end
  lib.detachLog()
  local generation, marks, logs = call('HGET', P .. 'meta', 'generation') or 0, lib.noted('marks'), lib.noted('logs')
  call('DEL', P .. 'groups')
  call('HSET', P .. 'groups', '::deleted', now, '::generation', generation, '::marks', marks, '::logs', logs)
  call('EXPIRE', P .. 'groups', NOTED_S)
  everyGroup, topicNotes, isThere = nil, nil, false
end

-- 3. End some of it.
local ended, more = lib.goOnWith(limit, function() return true end)
if call('HGET', P .. 'meta', 'blocked') then
  --@include lib/tell-producers
  lib.tellProducers()
end
if lib.watchers then lib.watchers.tell() end

-- 4. Nothing is left.
outbox = tonumber(call('HGET', P .. 'meta', 'outbox') or 0)
if not more and outbox == 0 and not isThere then
  call('DEL', P .. 'meta', P .. 'blocked', P .. 'blocked:need')
  call('HDEL', P .. 'groups', '::generation', '::marks', '::logs')
end
return { 0, ended, more and 1 or 0, outbox, isThere and 1 or 0 }
