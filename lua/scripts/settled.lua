-- How a message ended, as far as it is known: what was kept of it, and dead letters, which are there themselves.
--
-- KEYS  meta, never
-- ARGV  1 message id  2 group, or '' for any
-- Returns { now, whether a group may yet end it (0 or 1), { group or '', report (JSON) or '' if it is not known, ... } }
-- Keeps  nothing is changed. What a group is to end (again) has not ended, whatever was kept of it before.
-- Cost  4 commands, and about 5 per group.

--@include lib/call
--@include lib/time
--@include lib/range
--@include lib/groups
--@include lib/locate
--@include lib/report-body

local id, only = ARGV[1], ARGV[2]

local kept = {}
local flat = call('HGETALL', P .. 'result:' .. id)
for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end

local function deadLetter(group, place)
  local record = call('HGET', group.G .. 'failures', place.range.batch) or ''
  local reason, problem = string.match(record, '^%d+ %d+ (%S+) (.*)$')
  local diedAt = math.floor(tonumber(place.diedAt))
  local outcome = (reason == 'expired' or reason == 'cancelled') and reason or 'dead'
  return lib.timedReport(diedAt, id, group, outcome, { error = problem })
end

-- 1. What each group has to do with it, if it is there.
local open, ended = false, {}
local function tell(name, report)
  ended[#ended + 1], ended[#ended + 2] = name, report
end

local message = lib.findMessage(id)
if message and (lib.scheduledAs(message) or lib.isUnclaimed(message)) then
  open, kept = true, {}
elseif message then
  for _, group in ipairs(lib.allGroups()) do
    local name = lib.groupName(group)
    local place = (only == '' or only == name) and lib.placeIn(group, message)
    if place and place.at ~= 'never' then
      if place.at == 'dead' then
        tell(name, deadLetter(group, place))
      elseif place.at == 'done' then
        tell(name, kept[name] or '')
      else
        open = true
      end
      kept[name] = nil
    end
  end
end

-- 2. What was kept of groups that have nothing to do with it any more.
for name, report in pairs(kept) do
  if only == '' or name == only or name == '' then tell(name, report) end
end
return { now, open and 1 or 0, ended }
