-- Gives a group what the log has from its cursor on, as if it were published now. Included where a group is behind.
-- A batch that was given to no group younger than this one is new to it: that it has some of it now is said by `done`, for the generation in `pending` says
-- who had it when it was published. Needs: call, counts, range, groups, ready, catch-up.

--@include lib/log-trim

-- Name -> where the log ended when that message was cancelled; what was logged before is that message.
local function cancelledAmong(entries)
  local gone, names = {}, {}
  if call('EXISTS', P .. 'log:gone') == 0 then return gone end
  for _, entry in ipairs(entries) do
    local range = entry.range
    for index = range.from, range.from + range.count - 1 do names[#names + 1] = lib.nameOf(range.batch, range.total, index) end
  end
  local ends = lib.readWith('ZMSCORE', P .. 'log:gone', names)
  for i, name in ipairs(names) do gone[name] = tonumber(ends[i] or nil) end
  return gone
end

-- The parts of a range that were not cancelled: { from, count } each.
local function partsLeft(entry, gone)
  local range, parts, current = entry.range, {}, nil
  for index = range.from, range.from + range.count - 1 do
    local ended = gone[lib.nameOf(range.batch, range.total, index)]
    if ended and entry.at < ended then
      current = nil
    elseif current then
      current[2] = current[2] + 1
    else
      current = { index, 1 }
      parts[#parts + 1] = current
    end
  end
  return parts
end

-- The next entries, and where the cursor is behind them.
local function read(cursor, stop)
  local bound = string.format('(%.0f', stop)
  local entries = lib.entriesOf(call('ZRANGEBYSCORE', P .. 'log', cursor, bound, 'LIMIT', 0, MOST_CAUGHT_UP_RANGES, 'WITHSCORES'))
  local read_, messages = {}, 0
  for i, entry in ipairs(entries) do
    if messages >= MOST_CAUGHT_UP then return read_, entry.at end
    read_[i] = entry
    messages = messages + entry.range.count
  end
  local last = entries[MOST_CAUGHT_UP_RANGES]
  return read_, last and last.at + last.range.count or stop
end

function lib.replay(group, cursor, stop)
  local entries, reached = read(cursor, stop)
  local batches, known = {}, {}
  for _, entry in ipairs(entries) do
    if not known[entry.range.batch] then
      known[entry.range.batch] = { n = 0 }
      batches[#batches + 1] = entry.range.batch
    end
  end
  local pending, done = lib.readWith('HMGET', P .. 'pending', batches), lib.readWith('HMGET', group.G .. 'done', batches)
  for i, batch in ipairs(batches) do
    local of = known[batch]
    of.left, of.generation = lib.pairsOf(pending[i])
    -- What no group had when it was published, the first inherited.
    of.isNew = pending[i] and of.generation < lib.generationOf(group)
    of.done = done[i]
  end
  local gone, texts, messages = cancelledAmong(entries), {}, 0
  for _, entry in ipairs(entries) do
    local range = entry.range
    local of = known[range.batch]
    for _, part in ipairs(of.isNew and partsLeft(entry, gone) or {}) do
      local from, n = part[1], part[2]
      local before = of.done or string.rep('1', range.total)
      of.done = string.sub(before, 1, from) .. string.rep('0', n) .. string.sub(before, from + n + 1)
      of.n, messages = of.n + n, messages + n
      if lib.isRehomed(range.batch) then call('HSETNX', group.G .. 'failures', range.batch, '0 0 . null') end -- see lib/rehome
      texts[#texts + 1] = lib.rangeText(range.batch, range.total, from, n, range.lead)
    end
  end
  local counted, given = {}, {}
  for _, batch in ipairs(batches) do
    local of = known[batch]
    if of.n > 0 then
      counted[#counted + 1], counted[#counted + 2] = batch, lib.pendingValue(of.left + of.n, of.generation)
      given[#given + 1], given[#given + 2] = batch, of.done
    end
  end
  lib.callWith('HSET', P .. 'pending', counted)
  lib.callWith('HSET', group.G .. 'done', given)
  call('HSET', group.state, 'cursor', string.format('%.0f', reached))
  lib.makeReady(group, texts, messages)
end
