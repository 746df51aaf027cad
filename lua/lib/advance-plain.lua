-- A request that acks whole ranges, each the last word on its batch, and takes the little that is ready, or waits: what a consumer that has little to do sends.
-- A script makes its functions anew at every call, and a server that has little to do pays most for that, so this makes none and comes first. It answers, or
-- goes on with nothing written, and with what it has `read`, if the request or the group takes more. Steps as in scripts/advance.

local call, P = redis.call, string.sub(KEYS[1], 1, -5)
local G, id = P .. ARGV[1] .. ':', ARGV[2]
local sessionKey, leases, waiting, stateKey = G .. 'session:' .. id, G .. 'lease:' .. id, G .. 'waiting', G .. 'state'
local want, wantBytes = tonumber(ARGV[5]), tonumber(ARGV[6])

-- 1. Its turn, of a session with nothing to say of it, in a group of which nothing is set and nothing waits but in `ready`.
read = {
  alive = call('ZSCORE', G .. 'sessions', id),
  session = call('HMGET', sessionKey, unpack(SESSION)),
  state = call('HMGET', stateKey, unpack(STATE)),
}
local epoch, number, lease, ttl, solo, closing, unseen = unpack(read.session)
local ready, retrying, paused, timer, _, heard, _, drainer, _, _, prioritized, limit, _, marks, watching, behind = unpack(read.state)
ready, heard = tonumber(ready or 0), tonumber(heard or 0)
local isPlain = read.alive and epoch == ARGV[3] and number + 1 == tonumber(ARGV[4]) and not solo and not closing and timer ~= id
  and not (paused or drainer or limit or behind) and ready <= FEW
  and tonumber(retrying or 0) + tonumber(prioritized or 0) + tonumber(marks or 0) + tonumber(watching or 0) == 0
if isPlain and ARGV[8] ~= '' then
  -- With other groups a batch is seldom over, and what is retained has the log besides.
  groups = call('HGETALL', P .. 'groups')
  local own = false
  for i = 1, #groups, 2 do
    if groups[i] == '::logs' then
      isPlain = isPlain and tonumber(groups[i + 1]) == 0
    elseif groups[i] .. '@' .. groups[i + 1] == ARGV[1] then
      own = true
    elseif string.byte(groups[i]) ~= 58 then
      isPlain = false
    end
  end
  isPlain = isPlain and own
end
local now = 0
if isPlain then
  local clock = call('TIME')
  now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  read.meta = call('HMGET', P .. 'meta', unpack(META))
  local scheduled, _, watched, blocked = unpack(read.meta)
  isPlain = now - heard <= ttl / 2 and tonumber(scheduled or 0) == 0 and tonumber(watched or 0) <= now and not blocked
    and call('EXISTS', G .. 'suspects') == 0
end

-- 2. What is acked: whole batches, not marked, that only this group has still to finish.
local acked, batches, totals, several, lone, values, done = {}, {}, {}, {}, {}, {}, 0
for at in string.gmatch(isPlain and ARGV[8] or '', '%d+') do acked[#acked + 1] = at end
if acked[1] then
  local ranges = call('HMGET', leases, unpack(acked))
  for i = 1, #acked do
    local count, total, batch = string.match(ranges[i] or '', '^0,(%d+),(%d+),([^\n]*)')
    isPlain = batch and count == total and not totals[batch]
    if not isPlain then break end
    total = tonumber(total)
    batches[i], totals[batch] = batch, total
    done = done + total
    if total == 1 then
      lone[#lone + 1] = batch
    else
      several[#several + 1], values[#values + 1] = batch, P .. 'b:' .. batch
    end
  end
  local pending = isPlain and call('HMGET', P .. 'pending', unpack(batches)) or {}
  -- The pairs, without the generation above them: lib.pairsOf.
  for i = 1, #pending do isPlain = isPlain and tonumber(pending[i] or 0) % 4294967296 == totals[batches[i]] end
  local partly = isPlain and several[1] and call('HMGET', G .. 'done', unpack(several)) or {}
  for i = 1, #partly do isPlain = isPlain and not partly[i] end
  local follows = isPlain and lone[1] and call('HMGET', P .. 'follows', unpack(lone)) or {}
  for i = 1, #follows do isPlain = isPlain and not follows[i] end
end

-- 3. What is ready: all of it, if it is whole batches of which nothing need be known.
local taken, messages, size = {}, 0, 0
if isPlain and ready > 0 then
  local texts = call('LRANGE', G .. 'ready', 0, FEW)
  local alone, whole = {}, {}
  for i = 1, #texts do
    local count, total, batch = string.match(texts[i], '^0,(%d+),(%d+),(.*)$')
    isPlain = isPlain and batch and count == total
    if not isPlain then break end
    messages = messages + total
    if total == '1' then alone[#alone + 1] = batch else whole[#whole + 1] = P .. 'b:' .. batch end
  end
  isPlain = isPlain and messages == ready and messages <= want
  local loneValues = isPlain and alone[1] and call('HMGET', P .. 'batches', unpack(alone)) or {}
  local wholeValues = isPlain and whole[1] and call('MGET', unpack(whole)) or {}
  local failures = isPlain and alone[1] and call('HMGET', G .. 'failures', unpack(alone)) or {}
  for i = 1, #failures do isPlain = isPlain and not failures[i] end
  local nextLone, nextWhole = 1, 1
  for i = 1, isPlain and #texts or 0 do
    local value
    if string.sub(texts[i], 1, 6) == '0,1,1,' then
      value, nextLone = loneValues[nextLone], nextLone + 1
    else
      value, nextWhole = wholeValues[nextWhole], nextWhole + 1
    end
    isPlain = isPlain and value and #value > 1 and string.byte(value, 2) % 2 == 0 -- nothing in it expires, as lib.mayExpire has it
    if not isPlain then break end
    size = size + #value
    taken[2 * i - 1], taken[2 * i] = texts[i], value
  end
  isPlain = isPlain and size <= wantBytes
end

-- 4. All of it is written.
if isPlain then
  call('ZADD', G .. 'sessions', 'XX', now + ttl, id)
  if now - heard >= ttl / 20 then call('HSET', stateKey, 'heard', now) end
  if acked[1] then
    call('HDEL', leases, unpack(acked))
    call('HDEL', P .. 'pending', unpack(batches))
    if lone[1] then
      call('HDEL', P .. 'batches', unpack(lone))
      call('HDEL', G .. 'failures', unpack(lone))
    end
    if values[1] then call('DEL', unpack(values)) end
  end
  if messages > 0 then
    local fields, tail = {}, '\n' .. now
    for i = 1, #taken, 2 do
      lease = lease + 1
      fields[i], fields[i + 1] = lease, taken[i] .. tail
    end
    call('LTRIM', G .. 'ready', #taken / 2, -1)
    call('HSET', leases, unpack(fields))
    call('HINCRBY', stateKey, 'ready', -messages)
  end
  if messages ~= done then call('HINCRBY', stateKey, 'inFlight', messages - done) end
  if messages < want then
    call('ZADD', waiting, 'NX', now, id)
  else
    call('ZREM', waiting, id)
  end
  if unseen and unseen ~= '' then
    call('HSET', sessionKey, 'lease', lease, 'n', ARGV[4], 'unseen', '')
  else
    call('HSET', sessionKey, 'lease', lease, 'n', ARGV[4])
  end
  return { now, -1, tonumber(lease), 0, taken, {} }
end
