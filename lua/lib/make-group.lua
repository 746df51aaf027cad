-- Makes a group if it does not exist. The topic's first inherits what was published before there was any: both keep their ranges in
-- the same way, so that is a RENAME of each, and `pending`, one per message, is already right. Needs: call, counts, groups.

function lib.inherit(group)
  local there = lib.readFields(P .. 'meta', 'unclaimed', 'unclaimedPrioritized', 'unclaimedHeld', 'unclaimedMarks', 'unclaimedStale', 'unclaimedLater', 'unclaimedUnsorted')
  local held = tonumber(there.unclaimedHeld or 0)
  local inherited, prioritized = tonumber(there.unclaimed or 0), tonumber(there.unclaimedPrioritized or 0)
  if call('EXISTS', P .. 'unclaimed') == 1 then call('RENAME', P .. 'unclaimed', group.G .. 'ready') end
  if call('EXISTS', P .. 'unclaimed:priority') == 1 then call('RENAME', P .. 'unclaimed:priority', group.G .. 'priority') end
  for _, name in ipairs({ 'keys', 'lines', 'done', 'marks', 'failures', 'later' }) do
    if call('EXISTS', P .. 'unclaimed:' .. name) == 1 then call('RENAME', P .. 'unclaimed:' .. name, group.G .. name) end
  end
  lib.count(P .. 'meta', 'unclaimed', -inherited)
  lib.count(P .. 'meta', 'unclaimedHeld', -held)
  lib.count(group.state, 'held', held)
  lib.count(P .. 'meta', 'unclaimedPrioritized', -prioritized)
  for field, own in pairs({ unclaimedMarks = 'marks', unclaimedStale = 'stale', unclaimedLater = 'later', unclaimedUnsorted = 'unsorted' }) do
    local n = tonumber(there[field] or 0)
    lib.count(P .. 'meta', field, -n)
    lib.count(group.state, own, n)
  end
  lib.count(group.state, 'ready', inherited - held)
  lib.count(group.state, 'prioritized', prioritized)
  if there.unclaimedLater then
    call('HDEL', P .. 'groups', '::later')
    topicNotes = nil
  end
  return tonumber(there.unclaimedLater or 0) > 0
end

-- Whether the topic retains messages, and goes on to.
function lib.retains()
  local retain = lib.settings().retain
  return retain and retain ~= 'n0'
end

-- A group from the beginning has all that the log has, but what it inherits.
local function beginAtTheBeginning(group)
  local stop = call('HGET', P .. 'meta', 'logEnd')
  if not stop or call('EXISTS', P .. 'log') == 0 then return false end
  call('HSET', group.state, 'cursor', 0, 'cursorEnd', stop)
  return true
end

-- nil if the topic was deleted, and nobody has declared it since. `fromBeginning`: a new one is given what the topic retains.
function lib.makeGroup(name, fromBeginning)
  local group = lib.findGroup(name)
  if group then return group end
  local first = #lib.allGroups() == 0
  if lib.noted('deleted') > 0 then return nil end
  local generation = call('HINCRBY', P .. 'meta', 'generation', 1)
  call('HSET', P .. 'groups', name, generation, '::generation', generation)
  group = lib.groupOf(name .. '@' .. generation)
  everyGroup, topicNotes = nil, nil
  local inheritsLater = first and lib.inherit(group)
  local replays = fromBeginning and beginAtTheBeginning(group)
  if inheritsLater or replays then
    --@include lib/later
    lib.fallBehind(group)
  end
  return group
end
