-- Finishing what a group has not in flight, in bounded pieces. Each function takes up to `limit` messages and answers how many it took and how many of these
-- ended: some may have before (lib/marks). Needs: call, counts, range, finish, batch-time.

local MOST_READ = 100

function lib.finishAll(group, ranges, outcome)
  if not group.marks then
    local state = lib.readFields(group.state, 'marks', 'watching')
    group.marks, group.watching = tonumber(state.marks or 0), tonumber(state.watching or 0)
  end
  if group.marks > 0 then
    --@include lib/heed
    ranges = lib.heedAll(group, ranges)
  end
  return lib.finishRanges(ranges, outcome)
end

-- Of what is not in lists.
function lib.finishRanges(ranges, outcome)
  lib.learn(ranges)
  local messages = 0
  for _, range in ipairs(ranges) do messages = messages + lib.finish(range, range.from, range.count, outcome) end
  return messages
end

-- Ranges of a list, from its head; the last is divided if need be. Stops at what was handed over after `untilMs`.
-- What is unsorted has no key's turn, so its end passes nothing on. `waitsBehind`: nothing of the list has, nor does it count as unsorted.
function lib.purgeList(group, list, limit, outcome, untilMs, waitsBehind)
  local ranges, messages, taken, unsorted, remainder = {}, 0, 0, 0, nil
  for _, text in ipairs(call('LRANGE', list, 0, math.min(limit, MOST_READ) - 1)) do
    local range, room = lib.parseRange(text), limit - messages
    if room <= 0 then break end
    local time = untilMs and lib.batchTime(range)
    if time and time > untilMs then break end
    if range.count > room then
      remainder = lib.rangeText(range.batch, range.total, range.from + room, range.count - room, range.lead)
      range.count = room
    else
      taken = taken + 1
    end
    ranges[#ranges + 1] = range
    messages = messages + range.count
    if range.listed and not waitsBehind then unsorted = unsorted + range.count end
    if range.listed or waitsBehind and range.key then range.key, range.listed, range.inLine = nil, nil, true end
  end
  if remainder then call('LSET', list, taken, remainder) end
  if taken > 0 then call('LTRIM', list, taken, -1) end
  lib.count(group.state, 'ready', -messages)
  lib.count(group.state, 'unsorted', -unsorted)
  return messages, lib.finishAll(group, ranges, outcome)
end

-- What waits behind what the group replays.
function lib.purgeLater(group, limit, outcome, untilMs)
  local messages, ended = lib.purgeList(group, group.G .. 'later', limit, outcome, untilMs, true)
  lib.count(group.state, 'later', -messages)
  return messages, ended
end

function lib.purgePrioritized(group, limit, outcome, untilMs)
  local members, ranges, messages = {}, {}, 0
  for _, text in ipairs(call('ZRANGE', group.G .. 'priority', 0, math.min(limit, MOST_READ) - 1)) do
    local range = lib.parseRange(lib.memberRange(text))
    local time = untilMs and lib.batchTime(range)
    if not time or time <= untilMs then
      members[#members + 1], ranges[#ranges + 1] = text, range
      messages = messages + range.count
    end
  end
  lib.callWith('ZREM', group.G .. 'priority', members)
  lib.count(group.state, 'ready', -messages)
  lib.count(group.state, 'prioritized', -messages)
  return messages, lib.finishAll(group, ranges, outcome)
end

local MOST_LINES = 20

-- Of some lines, what stands at their heads. What `lines` has of keys whose line ran out goes, and counts as something done.
function lib.purgeLines(group, limit, outcome, untilMs)
  local ranOut = {}
  for _, key in ipairs(call('SRANDMEMBER', group.G .. 'lines', MOST_LINES)) do
    local line, ranges, messages = group.line .. key, {}, 0
    local texts = call('LRANGE', line, 0, math.min(limit, MOST_READ) - 1)
    if #texts == 0 then ranOut[#ranOut + 1] = key end
    for _, text in ipairs(texts) do
      local range = lib.parseRange(text)
      local time = untilMs and lib.batchTime(range)
      if time and time > untilMs then break end
      range.key, range.inLine = nil, true -- it was not out, so its end passes nothing on
      ranges[#ranges + 1] = range
      messages = messages + range.count
    end
    if messages > 0 then
      call('LTRIM', line, #ranges, -1)
      if call('EXISTS', line) == 0 then call('SREM', group.G .. 'lines', key) end
      lib.count(group.state, 'held', -messages)
      return messages, lib.finishAll(group, ranges, outcome)
    end
  end
  lib.callWith('SREM', group.G .. 'lines', ranOut)
  return #ranOut, 0
end

function lib.purgeRetries(group, limit, outcome, untilMs)
  local members, ranges = {}, {}
  for _, text in ipairs(call('ZRANGE', group.G .. 'retry', 0, math.min(limit, MOST_READ) - 1)) do
    local own, _, joins = lib.memberRange(text)
    local range = lib.parseRange(own)
    local time = untilMs and lib.batchTime(range)
    if joins then range.key = nil end
    if not time or time <= untilMs then members[#members + 1], ranges[#ranges + 1] = text, range end
  end
  local batches = {}
  for i, range in ipairs(ranges) do batches[i] = range.batch end
  lib.callWith('ZREM', group.G .. 'retry', members)
  lib.callWith('HDEL', group.G .. 'retrying', batches)
  lib.count(group.state, 'retrying', -#members)
  return #members, lib.finishRanges(ranges, outcome)
end

-- Of what was put off before any group had it: see detach.
function lib.purgeScheduled(group, limit, outcome)
  local members, ranges = call('ZRANGE', group.G .. 'scheduled', 0, math.min(limit, MOST_READ) - 1), {}
  for i, text in ipairs(members) do
    ranges[i] = lib.parseRange((lib.memberRange(text)))
    ranges[i].key = nil -- it was not out, so its end passes nothing on
  end
  lib.callWith('ZREM', group.G .. 'scheduled', members)
  lib.count(group.state, 'scheduled', -#members)
  return #members, lib.finishRanges(ranges, outcome)
end

-- Nobody is told of dead letters: their end was reported when they died.
function lib.purgeDead(group, limit, untilMs)
  local ids = call('ZRANGEBYSCORE', group.G .. 'dead', '-inf', untilMs and '(' .. untilMs + 1 or '+inf', 'LIMIT', 0, limit)
  local ranges = {}
  for i, id in ipairs(ids) do ranges[i] = lib.parseRange(lib.loneRange(id)) end
  lib.callWith('ZREM', group.G .. 'dead', ids)
  lib.callWith('HDEL', group.G .. 'dead:traits', ids)
  lib.count(group.state, 'dead', -#ids)
  return #ids, lib.finishRanges(ranges)
end
