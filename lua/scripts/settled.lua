-- How a message ended, as far as it is known: what was kept of it, and dead letters, which are there themselves.
--
-- KEYS  meta, never
-- ARGV  1 message id  2 group, or '' for any
-- Returns { now, whether a group may yet end it (0 or 1), { group or '', report (JSON) or '' if it is not known, ... } }
-- Keeps  nothing is changed. What a group is to end (again) has not ended, whatever was kept of it before. Of a message of several groups that one has moved
--       out of its batch, another that finished it there is taken for one that has not: they look the same.
-- Cost  4 commands, and 3 per group; 2 more per dead letter. 3 more for one of a batch of several.

--@include lib/call
--@include lib/time
--@include lib/groups
--@include lib/envelope
--@include lib/report-body

local id, only = ARGV[1], ARGV[2]
local batch, index = string.match(id, '^(.*)%.(%d+)$')

-- 1. Under which names it is there: its publisher's id; by itself, as published or moved out of its batch; in a batch of several.
local alone, inBatch = {}, nil
local names = { '=' .. id, batch and id, index == '0' and batch or nil }
for i, pending in ipairs(lib.readWith('HMGET', P .. 'pending', names)) do
  if pending and (i ~= 3 or call('HEXISTS', P .. 'batches', batch) == 1) then alone[#alone + 1] = names[i] end
end
if batch then
  local count = call('GETRANGE', P .. 'b:' .. batch, 2, 3)
  inBatch = #count == 2 and tonumber(index) < lib.u16(count, 1)
end

-- 2. What each group has to do with it.
local kept = {}
local flat = call('HGETALL', P .. 'result:' .. id)
for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end

local function deadLetter(group, name, diedAt)
  local reason, problem = string.match(call('HGET', group.G .. 'failures', name) or '', '^%d+ %d+ (%S+) (.*)$')
  return lib.timedReport(diedAt, id, group, reason == 'expired' and 'expired' or 'dead', { error = problem })
end

-- Answers whether it has not ended it, and what is known if it has.
local function stateIn(group)
  local report = kept[lib.groupName(group)] or ''
  for _, name in ipairs(alone) do
    local diedAt = call('ZSCORE', group.G .. 'dead', name)
    if diedAt then
      report = deadLetter(group, name, math.floor(tonumber(diedAt)))
    elseif call('HGET', group.G .. 'done', name) ~= '1' then
      return true
    end
  end
  if inBatch and string.sub(call('HGET', group.G .. 'done', batch) or '', index + 1, index + 1) ~= '1' then return true end
  return false, report
end

local open, ended = false, {}
if #alone > 0 or inBatch then
  local groups, met = lib.allGroups(), false
  for _, group in ipairs(groups) do
    local name = lib.groupName(group)
    if only == '' or only == name then
      local isOpen, report = stateIn(group)
      if isOpen then open = true else ended[#ended + 1], ended[#ended + 2] = name, report end
      kept[name], met = nil, true
    end
  end
  open = open or not met -- a group that is to come
end

-- 3. What was kept of groups that have nothing to do with it any more.
for name, report in pairs(kept) do
  if only == '' or name == only or name == '' then ended[#ended + 1], ended[#ended + 2] = name, report end
end
return { now, open and 1 or 0, ended }
