-- What was put off and is due becomes ready. Thousands that are due at one moment are promoted in steps.
-- Needs: call, time, counts, range, groups.

--@include lib/ready

local MOST_PROMOTED = 100

function lib.takeDue(key)
  local members = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, MOST_PROMOTED)
  lib.callWith('ZREM', key, members)
  return members
end

-- Retries go first: they have waited their turn once. One with a crash to its name is suspect.
function lib.promoteRetries(group)
  local members = lib.takeDue(group.G .. 'retry')
  if #members == 0 then return end
  local ranges, ids, plain, suspects = {}, {}, {}, {}
  for i, text in ipairs(members) do
    ranges[i] = lib.memberRange(text)
    ids[i] = lib.parseRange(ranges[i]).batch
  end
  local records = lib.readWith('HMGET', group.G .. 'failures', ids)
  for i, range in ipairs(ranges) do
    local crashes = records[i] and string.match(records[i], '^%d+ (%d+)') or '0'
    local to = crashes == '0' and plain or suspects
    to[#to + 1] = range
  end
  lib.count(group.state, 'retrying', -#members)
  lib.makeReady(group, plain, #plain, true, 'out')
  lib.makeSuspect(group, suspects)
end

-- A delayed message comes to every group that exists when it is due.
function lib.promoteScheduled()
  local members = lib.takeDue(P .. 'scheduled')
  if #members == 0 then return end
  local groups, ids, back, front, messages, ahead = lib.allGroups(), {}, {}, {}, 0, 0
  for _, member in ipairs(members) do
    local text, isFront = lib.memberRange(member)
    local range = lib.parseRange(text)
    messages = messages + range.count
    if isFront then
      table.insert(front, 1, text) -- the last is the first to be taken
      ahead = ahead + range.count
    else
      back[#back + 1] = text
    end
    if range.count == 1 then ids[#ids + 1] = lib.messageId(range.batch, range.total, range.from) end
    -- At once: what this very script finishes of it must see that the other groups have it too.
    if #groups > 1 then call('HINCRBY', P .. 'pending', range.batch, (#groups - 1) * range.count) end
  end
  lib.callWith('HDEL', P .. 'deferred', ids)
  lib.count(P .. 'meta', 'scheduled', -messages)
  for _, group in ipairs(groups) do
    lib.makeReady(group, back, messages - ahead)
    lib.makeReady(group, front, ahead, true)
  end
end

function lib.promote(group, retries, scheduled)
  if retries then lib.promoteRetries(group) end
  if scheduled then lib.promoteScheduled() end
end
