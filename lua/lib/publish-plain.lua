-- A request of which nothing is said but its bodies, to groups of which nothing is said either: what most requests are. A script makes its functions anew at
-- every call, and a server that has little to do pays most for that, so this makes none and comes first. It answers, or goes on with nothing written if the
-- request takes more.

local call, P = redis.call, string.sub(KEYS[1], 1, -5)
record = call('GET', P .. 'p:' .. session)
local batches = tonumber(ARGV[4])
local isPlain = tonumber(record or '') == number - 1 and #ARGV == 9 + batches and batches <= 100

-- 1. Batches that do not expire and have no property but their source: as lib.batchCount and lib.isPlain have it.
local totals, messages = {}, 0
for i = 1, isPlain and batches or 0 do
  local value = ARGV[9 + i]
  local version, flags, low, high = string.byte(value, 1, 4)
  isPlain = #value >= 20 and version == 1 and (flags == 0 or flags == 2)
  if not isPlain then break end
  local total, lengthLow, lengthHigh, _, sourceLow, sourceHigh = low + high * 256, string.byte(value, 11, 15)
  local length = lengthLow + lengthHigh * 256
  local table_, tables = 4 * (total + 1), flags == 2 and 2 or 1
  local ends = 13 + length
  local size = ends + tables * table_ - 1
  isPlain = total > 0 and #value >= size + 1 and (length < 3 or sourceLow + sourceHigh * 256 + 3 == length)
  for at = ends, isPlain and size or 0, table_ do
    local a, b, c, d = string.byte(value, at, at + 3)
    local e, f, g, h = string.byte(value, at + table_ - 4, at + table_ - 1)
    size = size + e - a + (f - b) * 256 + (g - c) * 65536 + (h - d) * 16777216
  end
  isPlain = isPlain and size == #value
  if not isPlain then break end
  totals[i] = total
  messages = messages + total
end

-- 2. Groups that take it as it comes, see lib/groups.
local count, generation = 0, 0
groups = isPlain and call('HGETALL', P .. 'groups') or nil
for i = 1, groups and #groups or 0, 2 do
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

  -- 3. The bytes, and who still has to finish them: as lib.enqueue.
  local several, lone, pending, ranges = {}, {}, {}, {}
  for i, total in ipairs(totals) do
    local id, value = session .. '-' .. ARGV[2] .. '-' .. (i - 1), ARGV[9 + i]
    if total > 1 then
      several[#several + 1], several[#several + 2] = P .. 'b:' .. id, value
    else
      lone[#lone + 1], lone[#lone + 2] = id, value
    end
    pending[2 * i - 1], pending[2 * i] = id, generation * 4294967296 + total * count
    ranges[i] = '0,' .. total .. ',' .. total .. ',' .. id
  end
  if several[1] then call('MSET', unpack(several)) end
  if lone[1] then call('HSET', P .. 'batches', unpack(lone)) end
  call('HSET', P .. 'pending', unpack(pending))

  -- 4. Into each group: a message alone to the session that waits longest, as lib.push; else to what is ready, and one is woken, as lib.wake.
  for i = 1, #groups, 2 do
    if string.byte(groups[i]) ~= 58 then
      local ref = groups[i] .. '@' .. groups[i + 1]
      local G = P .. ref .. ':'
      local state, isPushed = G .. 'state', false
      local waiting = call('ZRANGE', G .. 'waiting', 0, 7)
      local ready, marks, watching, paused, limit, drainer, inFlight
      if waiting[1] then
        ready, marks, watching, paused, limit, drainer, inFlight =
          unpack(call('HMGET', state, 'ready', 'marks', 'watching', 'paused', 'limit', 'drainer', 'inFlight'))
      end
      local mayPush = messages == 1 and #ARGV[10] <= 65536 and not (paused or limit or drainer)
        and tonumber(ready or 0) + tonumber(marks or 0) + tonumber(watching or 0) == 0
      for n = 1, mayPush and #waiting or 0 do
        local to = waiting[n]
        local key = G .. 'session:' .. to
        local pushes, lease, unseen = unpack(call('HMGET', key, 'pushes', 'lease', 'unseen'))
        if pushes ~= '1' then break end
        lease = tonumber(lease) + 1
        call('ZREM', G .. 'waiting', to)
        waiting[n] = false
        local told = ref .. ' ' .. to .. ' push ' .. lease .. ' ' .. ranges[1] .. '\n' .. ARGV[10]
        if call('PUBLISH', P .. 'wake:' .. string.match(to, '^[^~]*'), told) > 0 then
          call('HSET', G .. 'lease:' .. to, lease, ranges[1] .. '\n' .. now)
          call('HSET', key, 'lease', lease, 'unseen', unseen and unseen ~= '' and unseen or lease)
          call('HINCRBY', state, 'inFlight', 1)
          isPushed = true
          break
        end
      end
      if not isPushed then
        call('RPUSH', G .. 'ready', unpack(ranges))
        call('HINCRBY', state, 'ready', messages)
        local mayWake = not paused and (not limit or limit - (inFlight or 0) > 0)
        for n = 1, mayWake and #waiting or 0 do
          local to = waiting[n]
          if to then
            call('ZREM', G .. 'waiting', to)
            if call('PUBLISH', P .. 'wake:' .. string.match(to, '^[^~]*'), ref .. ' ' .. to) > 0 then break end
          end
        end
      end
    end
  end

  -- Last the number.
  call('SET', P .. 'p:' .. session, ARGV[2], 'EX', 86400)
  return { 0, now, {}, {}, 0 }
end
