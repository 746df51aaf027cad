-- A producer session's numbering. `p:<session>` holds the last request's number, and ` o` behind it if outcomes other than plain acceptance are
-- kept in `p:<session>:o`. Needs: call, batches.

local REMEMBERED_S = 86400

function lib.flatOutcomes(outcomes)
  local flat = {}
  for _, outcome in ipairs(outcomes) do
    for _, part in ipairs(outcome) do flat[#flat + 1] = part end
  end
  return flat
end

-- Answers the reply to give if the request may not run, else nil and the last number's record. A repeated request writes its producer's entry
-- again, so that a WAIT after it waits for something. `record`: what the key has, if it was read before.
function lib.notItsTurn(session, number, record)
  local key = P .. 'p:' .. session
  record = record or call('GET', key)
  if not record then return { 2 } end
  local last = { number = tonumber(string.match(record, '^%d+')), outcomes = string.sub(record, -2) == ' o' }
  if number == last.number + 1 then return nil, last end
  if number > last.number then return { 1, last.number } end
  local kept = last.outcomes and call('HGET', key .. ':o', number)
  call('SET', key, record, 'EX', REMEMBERED_S)
  return { 0, now, kept and lib.flatOutcomes(cmsgpack.unpack(kept)) or {}, {}, 0 }
end

-- The request's batches, from position 10; nil if one is no batch.
function lib.readBatches(session, number)
  local n, marks = tonumber(ARGV[4]), {}
  for batch, special in string.gmatch(ARGV[5], '(%d+)(%a[^;]*);') do marks[tonumber(batch)] = special end
  local batches, ownAt = {}, 10 + n
  for i = 0, n - 1 do
    local mark = marks[i] or ''
    local own
    if string.find(mark, 'i', 1, true) then
      own = ARGV[ownAt]
      ownAt = ownAt + 1
    end
    local batch = lib.readBatch(ARGV[10 + i], mark, session .. '-' .. string.format('%.0f', number) .. '-' .. i, own)
    if not batch then return nil end
    batches[i + 1] = batch
  end
  return batches
end

-- Forgets outcomes that the client has, keeps this request's, and writes its number.
function lib.recordRequest(session, number, last, lowestUnanswered, outcomes)
  local key = P .. 'p:' .. session
  local kept = last.outcomes
  if kept then
    local old, lowest, left = {}, tonumber(lowestUnanswered), 0
    for _, field in ipairs(call('HKEYS', key .. ':o')) do
      if tonumber(field) < lowest then old[#old + 1] = field else left = left + 1 end
    end
    lib.callWith('HDEL', key .. ':o', old)
    kept = left > 0
  end
  if #outcomes > 0 then
    call('HSET', key .. ':o', number, cmsgpack.pack(outcomes))
    kept = true
  end
  if kept then call('EXPIRE', key .. ':o', REMEMBERED_S) end
  call('SET', key, kept and number .. ' o' or number, 'EX', REMEMBERED_S)
end
