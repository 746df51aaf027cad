-- One message alone, of which nothing is said but its body, to groups of which nothing is said either: what a publish on a quiet topic is. A server that has
-- little to do pays most for what a script makes before it does anything, so this makes no functions and comes first. It answers, or goes on with nothing written
-- if it takes more than this.

local call, P, value = redis.call, string.sub(KEYS[1], 1, -5), ARGV[10]
record = call('GET', P .. 'p:' .. session)

-- 1. A batch of one that does not expire and has no property but its source: as lib.batchCount and lib.isPlain have it.
local isPlain = tonumber(record or '') == number - 1 and #value >= 20
if isPlain then
  local version, flags, low, high = string.byte(value, 1, 4)
  local lengthLow, lengthHigh, _, sourceLow, sourceHigh = string.byte(value, 11, 15)
  local length = lengthLow + lengthHigh * 256
  local ends, tables = 13 + length, flags == 2 and 16 or 8
  isPlain = version == 1 and (flags == 0 or flags == 2) and low == 1 and high == 0 and #value >= ends + tables
    and (length < 3 or sourceLow + sourceHigh * 256 + 3 == length)
  if isPlain then
    local size = ends + tables - 1
    for at = ends, ends + tables - 1, 8 do
      local a, b, c, d, e, f, g, h = string.byte(value, at, at + 7)
      size = size + e - a + (f - b) * 256 + (g - c) * 65536 + (h - d) * 16777216
    end
    isPlain = size == #value
  end
end

-- 2. Groups that take it as it comes, see lib/groups.
local groups, count, generation = isPlain and call('HGETALL', P .. 'groups') or {}, 0, 0
for i = 1, #groups, 2 do
  local first, second, third = string.byte(groups[i], 1, 3)
  if first ~= 58 then
    count = count + 1
  elseif second ~= 58 or third == 98 or groups[i] == '::deleted' and tonumber(groups[i + 1]) > 0 then
    isPlain = false
  elseif groups[i] == '::generation' then
    generation = tonumber(groups[i + 1])
  end
end

if isPlain and count > 0 then
  local clock = call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local id = session .. '-' .. ARGV[2] .. '-0'
  local range, others = '0,1,1,' .. id, nil
  call('HSET', P .. 'batches', id, value)
  call('HSET', P .. 'pending', id, generation * 4294967296 + count)

  -- 3. Into each group: to the one that waits longest, as lib/push does, or to what is ready. For whatever is neither, see below.
  for i = 1, #groups, 2 do
    if string.byte(groups[i]) ~= 58 then
      local ref = groups[i] .. '@' .. groups[i + 1]
      local G = P .. ref .. ':'
      local waits = call('ZRANGE', G .. 'waiting', 0, 0)[1]
      if not waits then
        call('RPUSH', G .. 'ready', range)
        call('HINCRBY', G .. 'state', 'ready', 1)
      else
        local isGiven = false
        local ready, marks, watching, paused, limit, drainer =
          unpack(call('HMGET', G .. 'state', 'ready', 'marks', 'watching', 'paused', 'limit', 'drainer'))
        if #value <= 65536 and not (paused or limit or drainer)
          and tonumber(ready or 0) + tonumber(marks or 0) + tonumber(watching or 0) == 0 then
          local key = G .. 'session:' .. waits
          local pushes, lease, unseen = unpack(call('HMGET', key, 'pushes', 'lease', 'unseen'))
          if pushes == '1' then
            lease = tonumber(lease) + 1
            call('ZREM', G .. 'waiting', waits)
            local told = ref .. ' ' .. waits .. ' push ' .. lease .. ' ' .. range .. '\n' .. value
            if call('PUBLISH', P .. 'wake:' .. string.match(waits, '^[^~]*'), told) > 0 then
              call('HSET', G .. 'lease:' .. waits, lease, range .. '\n' .. now)
              call('HSET', key, 'lease', lease, 'unseen', unseen and unseen ~= '' and unseen or lease)
              call('HINCRBY', G .. 'state', 'inFlight', 1)
              isGiven = true
            end
          end
        end
        if not isGiven then
          others = others or {}
          others[#others + 1] = ref
        end
      end
    end
  end
  if others then
    --@include lib/call
    --@include lib/counts
    --@include lib/groups
    --@include lib/wake
    --@include lib/push
    for _, ref in ipairs(others) do lib.giveAlone(lib.groupOf(ref), range, value) end
    lib.writeCounts()
    lib.wakeMarked()
  end
  call('SET', P .. 'p:' .. session, ARGV[2], 'EX', 86400)
  return { 0, now, {}, {}, 0 }
end
