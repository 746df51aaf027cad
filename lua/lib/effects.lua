-- What follows a message and not a client, honoured on every end, in every process: `owns`, keys deleted if they still name this message,
-- once every group has ended it; `reportTo`, which tells each group's outcome to a topic, as a message, or to a requester that waits; `keepResult`, which keeps it
-- for a time. Kept in the hash `follows`: batch -> its properties.
-- Included where a message has them. Needs: call, counts, range, groups, author.

--@include lib/envelope
--@include lib/outbox
--@include lib/report-body

-- Whether a group has a batch only because it replays: then what follows it is none of its business.
function lib.replays(group, generation)
  return lib.noted('logs') > 0 and group and lib.groupName(group) and lib.generationOf(group) > generation or false
end

-- Pairs that are nobody's who has it since it was published: the log's, and those of groups that replay it.
local function retained(batch)
  local n = tonumber(call('HGET', P .. 'log:followed', batch) or 0)
  local _, generation = lib.pairsOf(call('HGET', P .. 'pending', batch))
  for _, group in ipairs(lib.allGroups()) do
    if lib.replays(group, generation) and call('HGET', group.G .. 'done', batch) == '0' then n = n + 1 end
  end
  return n, generation
end

function lib.endedEverywhere(batch, left)
  local dead, generation = 0, math.huge
  if lib.noted('logs') > 0 then dead, generation = retained(batch) end
  for _, group in ipairs(lib.allGroups()) do
    if not lib.replays(group, generation) and call('ZSCORE', group.G .. 'dead', batch) then dead = dead + 1 end
  end
  return left <= dead
end

function lib.releaseOwned(keys, id)
  for _, key in ipairs(keys) do
    -- A key that is no string is not ours, and must not raise.
    local value = redis.pcall('GET', P .. key)
    if value == id then call('DEL', P .. key) end
  end
end

function lib.u16Bytes(n)
  return string.char(n % 256, math.floor(n / 256) % 256)
end

function lib.u32Bytes(n)
  return lib.u16Bytes(n % 65536) .. lib.u16Bytes(math.floor(n / 65536))
end

function lib.property(tag, value)
  return string.char(tag) .. lib.u16Bytes(#value) .. value
end

-- A batch of one with type `busway.report`.
function lib.reportBatch(body, key)
  local props = lib.property(1, '$busway') .. (key and lib.property(KEY, key) or '')
  local type_ = 'busway.report'
  local extra = string.char(1) .. lib.u32Bytes(#type_) .. type_
  return table.concat({
    string.char(1, 2), lib.u16Bytes(1), lib.u32Bytes(now % 4294967296), lib.u16Bytes(math.floor(now / 4294967296)),
    lib.u16Bytes(#props), props,
    lib.u32Bytes(0), lib.u32Bytes(#body + 1),
    lib.u32Bytes(0), lib.u32Bytes(#extra), extra,
    body, ',',
  })
end

-- Whether it can be a topic, or a partition of one. What cannot would name keys that are another's.
local function isTopic(name)
  name = string.match(name, '^(.*)#%d+%.%d+%.%d+$') or name
  if #name > 200 or name == '$bus' or name == '__proto__' then return false end
  if string.match(name, '^%$[%w._-]+$') then return true end
  return string.match(name, '^[%w_-][%w._-]*$') ~= nil and not string.find(name .. '.', '..', 1, true)
end

function lib.report(batch, to, left, id, group, outcome, detail)
  local decoded, target = pcall(cjson.decode, to)
  if not decoded or type(target) ~= 'table' then return end
  if type(target.requester) == 'string' then
    --@include lib/reply
    lib.reply(target, lib.reportBody(id, group, outcome, detail), lib.endedEverywhere(batch, left))
  elseif type(target.topic) == 'string' and isTopic(target.topic) then
    local key = type(target.key) == 'string' and target.key or nil
    local body = string.sub(lib.reportBody(id, group, outcome, detail), 1, -2)
    body = body .. ',"last":' .. (lib.endedEverywhere(batch, left) and 'true' or 'false') .. '}'
    lib.putInOutbox(target.topic, { v = lib.reportBatch(body, key) })
  end
end

-- `left`: pending pairs once this end is counted. Without an outcome nobody is told: a purged dead letter was reported when it died.
function lib.honour(batch, props, left, group, outcome, detail)
  local found = lib.properties(props)
  local id = lib.messageId(batch, 1, 0)
  if outcome and found[REPORT_TO] then lib.report(batch, found[REPORT_TO][1], left, id, group, outcome, detail) end
  if outcome and found[KEEP_RESULT] then
    --@include lib/keep-result
    lib.keepResult(found[KEEP_RESULT][1], id, group, outcome, detail)
  end
  if found[OWNS] and lib.endedEverywhere(batch, left) then lib.releaseOwned(found[OWNS], id) end
end
