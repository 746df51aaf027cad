-- What was put off and is due becomes ready. Thousands that are due at one moment are promoted in steps.
-- Needs: call, time, counts, range, groups.

--@include lib/give
--@include lib/pending

local MOST_PROMOTED = 100

function lib.takeDue(key)
  local members = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, MOST_PROMOTED)
  lib.callWith('ZREM', key, members)
  return members
end

function lib.retriedRange(member)
  local text, _, joins = lib.memberRange(member)
  return text, joins
end

-- Retries go first: they have waited their turn once. One with a crash to its name is suspect. What was put off before it was taken joins the back.
function lib.promoteRetries(group)
  local members = lib.takeDue(group.G .. 'retry')
  if #members == 0 then return end
  local ranges, ids, joining, plain, back, suspects = {}, {}, {}, {}, {}, {}
  for i, text in ipairs(members) do
    ranges[i], joining[i] = lib.retriedRange(text)
    ids[i] = lib.parseRange(ranges[i]).batch
  end
  lib.callWith('HDEL', group.G .. 'retrying', ids)
  local records = lib.readWith('HMGET', group.G .. 'failures', ids)
  for i, range in ipairs(ranges) do
    local crashes = records[i] and string.match(records[i], '^%d+ (%d+)') or '0'
    local to = crashes ~= '0' and suspects or joining[i] and back or plain
    to[#to + 1] = range
  end
  lib.count(group.state, 'retrying', -#members)
  lib.makeReady(group, plain, #plain, true, 'out')
  lib.give(group, back, #back)
  lib.makeSuspect(group, suspects)
end

-- Counts what is due for every group that exists now. At once: what this very script finishes of it must see that the other groups have it too.
function lib.giveToGroups(ranges, groups)
  local batches, value, of = {}, {}, {}
  local fan = #groups + (lib.settings().retain and 1 or 0) -- what is retained the log has to finish as well
  for _, range in ipairs(ranges) do
    if not of[range.batch] then
      of[range.batch] = range
      batches[#batches + 1] = range.batch
    end
  end
  local pending, generation = lib.readWith('HMGET', P .. 'pending', batches), lib.noted('generation')
  for i, batch in ipairs(batches) do
    value[batch] = { lib.pairsOf(pending[i]) }
    if lib.isRehomed(batch) then -- it was changed while it was put off
      for _, group in ipairs(groups) do call('HSETNX', group.G .. 'failures', batch, '0 0 . null') end
    end
  end
  local written = {}
  for _, range in ipairs(ranges) do
    local known = value[range.batch]
    known[1] = known[1] + (fan - 1) * range.count
    if range.total > 1 then
      --@include lib/give-part
      lib.givePart(range, groups)
    end
    if range.total == 1 or known[2] == 0 then known[2] = generation end
  end
  for _, batch in ipairs(batches) do
    written[#written + 1], written[#written + 2] = batch, lib.pendingValue(value[batch][1], value[batch][2])
  end
  lib.callWith('HSET', P .. 'pending', written)
end

-- A delayed message comes to every group that exists when it is due.
function lib.promoteScheduled()
  local members = lib.takeDue(P .. 'scheduled')
  if #members == 0 then return end
  local groups, ranges, names, back, front, ahead = lib.allGroups(), {}, {}, {}, {}, 0
  for i, member in ipairs(members) do
    local text, isFront = lib.memberRange(member)
    local range = lib.parseRange(text)
    ranges[i], names[i] = range, lib.nameOf(range.batch, range.total, range.from)
    if isFront then
      table.insert(front, 1, text) -- the last is the first to be taken
      ahead = ahead + 1
    else
      back[#back + 1] = text
    end
  end
  lib.giveToGroups(ranges, groups)
  lib.callWith('HDEL', P .. 'deferred', names)
  lib.count(P .. 'meta', 'scheduled', -#members)
  if lib.settings().retain then
    --@include lib/log
    lib.appendToLog({ back, front }, #members)
  end
  for _, group in ipairs(groups) do
    lib.give(group, back, #members - ahead)
    lib.give(group, front, ahead, true)
  end
end

function lib.promote(group, retries, scheduled)
  if retries then lib.promoteRetries(group) end
  if scheduled then lib.promoteScheduled() end
end
