-- What happens to messages, for whoever watches the topic: collected while the script runs, and published at its end in one piece, see docs/wire-format.md.
-- Needs: call, time, range, groups.

--@include lib/end-fields

lib.watchers = {}
local told = {}
local failedBefore = {} -- batch of one that ended -> attempts on record

-- fields: JSON, from its comma on. lone: a batch of one that ended after a run; its attempts are told once they are known.
function lib.watchers.note(kind, group, range, from, n, fields, lone)
  local name = group and lib.groupName(group)
  name = name and ',"group":' .. cjson.encode(name) or ''
  local at = cjson.encode(lib.rangeText(range.batch, range.total, from, n))
  told[#told + 1] = { text = '{"type":"' .. kind .. '"' .. name .. ',"range":' .. at .. fields, lone = lone }
end

function lib.watchers.noteLone(kind, group, id, fields)
  lib.watchers.note(kind, group, { batch = id, total = 1 }, 0, 1, fields)
end

-- Of messages from .. from + n - 1 those that `marks` (nil: none is finished) says are not finished.
function lib.watchers.ended(group, range, from, n, marks, outcome, detail)
  local fields = ',"outcome":"' .. outcome .. '"' .. lib.endFields(detail)
  local lone = range.total == 1 and outcome == 'done' and range.batch or nil
  local at, stop = from, from + n
  while at < stop do
    local last = stop
    if marks then
      at = (string.find(marks, '0', at + 1, true) or stop + 1) - 1
      if at >= stop then return end
      last = math.min(stop, (string.find(marks, '1', at + 1, true) or stop + 1) - 1)
    end
    lib.watchers.note('settled', group, range, at, last - at, fields, lone)
    at = last
  end
end

-- due: when it may be tried again.
function lib.watchers.failed(group, id, attempt, due, problem)
  local fields = ',"attempt":' .. attempt .. ',"due":' .. string.format('%.0f', due)
  lib.watchers.noteLone('retried', group, id, fields .. lib.endFields({ error = problem }))
end

-- Its failure is on record.
function lib.watchers.died(group, id, problem)
  local attempts, reason = string.match(call('HGET', group.G .. 'failures', id) or '', '^(%d+) %d+ (%S+)')
  local attempt = (reason == 'expired' or reason == 'cancelled') and '' or ',"attempt":' .. (attempts or 1)
  lib.watchers.noteLone('dead', group, id, attempt .. ',"reason":' .. cjson.encode(reason or '-') .. lib.endFields({ error = problem }))
end

-- Of batches of one that ended, before their records go.
function lib.watchers.learnAttempts(group, batches)
  local records = lib.readWith('HMGET', group.G .. 'failures', batches)
  for i, batch in ipairs(batches) do
    if records[i] then failedBefore[batch] = tonumber(string.match(records[i], '^%d+')) end
  end
end

-- Where nobody hears it, nobody watches any more.
function lib.watchers.tell()
  if #told == 0 then return end
  local items = {}
  for i, item in ipairs(told) do
    local failed = item.lone and failedBefore[item.lone]
    items[i] = item.text .. (failed and ',"attempt":' .. failed + 1 or '') .. '}'
  end
  told = {}
  if call('PUBLISH', P .. 'events', '{"time":' .. now .. ',"told":[' .. table.concat(items, ',') .. ']}') > 0 then return end
  call('HDEL', P .. 'meta', 'watched')
  lib.watched = false
end
