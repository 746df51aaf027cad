-- The end of what a topic keeps: see lib/log. Needs: call, time, range, groups.

--@include lib/pending

local MOST_TRIMMED, MOST_FORGOTTEN = 100, 1000

-- Position, time and range of an entry.
local function entryOf(member, score)
  local time, text = string.match(member, '^(%d+);(.*)$')
  return { member = member, at = tonumber(score), time = tonumber(time), range = lib.parseRange(text) }
end

function lib.entriesOf(flat)
  local entries = {}
  for i = 1, #flat, 2 do entries[#entries + 1] = entryOf(flat[i], flat[i + 1]) end
  return entries
end

-- Of batches that nobody has anything of any more.
local function forget(lone, several)
  lib.callWith('HDEL', P .. 'batches', lone)
  lib.callWith('HDEL', P .. 'follows', lone)
  local values, all = {}, {}
  for i, batch in ipairs(several) do values[i], all[i] = P .. 'b:' .. batch, batch end
  for _, batch in ipairs(lone) do all[#all + 1] = batch end
  lib.callAll('DEL', values)
  lib.callWith('HDEL', P .. 'pending', all)
  for _, groups in ipairs({ lib.allGroups(), lib.leavingGroups or {} }) do
    for _, group in ipairs(groups) do lib.callWith('HDEL', group.G .. 'done', all) end
  end
  if #lib.allGroups() == 0 then lib.callWith('HDEL', P .. 'unclaimed:done', all) end
end

local function unfollow(lone)
  local followed = lib.readWith('HMGET', P .. 'log:followed', lone)
  for i, batch in ipairs(lone) do
    if followed[i] and call('HINCRBY', P .. 'log:followed', batch, -1) <= 0 then call('HDEL', P .. 'log:followed', batch) end
  end
end

-- Takes entries out of the log that is kept at `key`.
function lib.leaveLog(key, entries)
  if #entries == 0 then return end
  local members, batches, of, lone = {}, {}, {}, {}
  for i, entry in ipairs(entries) do
    local range = entry.range
    members[i] = entry.member
    if not of[range.batch] then
      of[range.batch] = { total = range.total, n = 0 }
      batches[#batches + 1] = range.batch
    end
    if range.total == 1 then lone[#lone + 1] = range.batch end
    of[range.batch].n = of[range.batch].n + range.count
  end
  local pending = lib.readWith('HMGET', P .. 'pending', batches)
  lib.callWith('ZREM', key, members)
  unfollow(lone)
  local alive, ended, several = {}, {}, {}
  for i, batch in ipairs(batches) do
    local left, generation = lib.pairsOf(pending[i])
    left = left - of[batch].n
    if left > 0 then
      alive[#alive + 1], alive[#alive + 2] = batch, lib.pendingValue(left, generation)
    elseif pending[i] then
      local kind = of[batch].total == 1 and ended or several
      kind[#kind + 1] = batch
    end
  end
  lib.callWith('HSET', P .. 'pending', alive)
  if #ended + #several > 0 then forget(ended, several) end
end

-- The first entries that are beyond the bound, at most so many: `n<messages>`, so that what is left is less than one range more; `t<ms>`, by their age.
local function beyond(bound, most)
  local kind, n = string.match(bound, '^(%a)(%d+)$')
  n = tonumber(n)
  local key, found = P .. 'log', {}
  if kind == 't' then
    local first = lib.entriesOf(call('ZRANGE', key, 0, 0, 'WITHSCORES'))[1]
    if not first or first.time > now - n then return found end
    for _, entry in ipairs(lib.entriesOf(call('ZRANGE', key, 0, most - 1, 'WITHSCORES'))) do
      if entry.time > now - n then break end
      found[#found + 1] = entry
    end
    return found
  end
  local first = tonumber(call('HGET', P .. 'meta', 'logEnd') or 0) - n
  if first <= 0 then return found end
  for _, entry in ipairs(lib.entriesOf(call('ZRANGEBYSCORE', key, '-inf', string.format('(%.0f', first), 'LIMIT', 0, most, 'WITHSCORES'))) do
    if entry.at + entry.range.count > first then break end
    found[#found + 1] = entry
  end
  return found
end

-- `n0` is a log that ends: with its last entry the setting goes.
local function endIfEmpty(bound)
  if call('EXISTS', P .. 'log') == 1 then return end
  call('UNLINK', P .. 'log:gone')
  if bound == 'n0' then call('HDEL', P .. 'groups', ':retain') end
end

-- Trims a bounded part of what is beyond the bound, but more than was appended. What was cancelled is forgotten when the log has passed it.
function lib.trimLog(appended)
  local bound = lib.settings().retain
  if not bound then return end
  local entries = beyond(bound, math.max(MOST_TRIMMED, 2 * (appended or 0)))
  if #entries == 0 then return bound == 'n0' and endIfEmpty(bound) end
  lib.leaveLog(P .. 'log', entries)
  local last = entries[#entries]
  local passed = call('ZRANGEBYSCORE', P .. 'log:gone', '-inf', string.format('%.0f', last.at + last.range.count), 'LIMIT', 0, MOST_FORGOTTEN)
  lib.callWith('ZREM', P .. 'log:gone', passed)
  endIfEmpty(bound)
end
