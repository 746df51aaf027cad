-- Makes a group if it does not exist. The topic's first inherits what was published before there was any: both keep their ranges in
-- the same way, so that is a RENAME of each, and `pending`, one per message, is already right. Needs: call, counts, groups.

function lib.inherit(group)
  local there = lib.readFields(P .. 'meta', 'unclaimed', 'unclaimedPrioritized', 'unclaimedHeld', 'unclaimedMarks', 'unclaimedStale')
  local held = tonumber(there.unclaimedHeld or 0)
  local inherited, prioritized = tonumber(there.unclaimed or 0), tonumber(there.unclaimedPrioritized or 0)
  if call('EXISTS', P .. 'unclaimed') == 1 then call('RENAME', P .. 'unclaimed', group.G .. 'ready') end
  if call('EXISTS', P .. 'unclaimed:priority') == 1 then call('RENAME', P .. 'unclaimed:priority', group.G .. 'priority') end
  for _, name in ipairs({ 'keys', 'lines', 'done', 'marks', 'failures' }) do
    if call('EXISTS', P .. 'unclaimed:' .. name) == 1 then call('RENAME', P .. 'unclaimed:' .. name, group.G .. name) end
  end
  lib.count(P .. 'meta', 'unclaimed', -inherited)
  lib.count(P .. 'meta', 'unclaimedHeld', -held)
  lib.count(group.state, 'held', held)
  lib.count(P .. 'meta', 'unclaimedPrioritized', -prioritized)
  for field, own in pairs({ unclaimedMarks = 'marks', unclaimedStale = 'stale' }) do
    local n = tonumber(there[field] or 0)
    lib.count(P .. 'meta', field, -n)
    lib.count(group.state, own, n)
  end
  lib.count(group.state, 'ready', inherited - held)
  lib.count(group.state, 'prioritized', prioritized)
end

-- nil if the topic was deleted, and nobody has declared it since.
function lib.makeGroup(name)
  local group = lib.findGroup(name)
  if group then return group end
  local first = #lib.allGroups() == 0
  if lib.noted('deleted') > 0 then return nil end
  local generation = call('HINCRBY', P .. 'meta', 'generation', 1)
  call('HSET', P .. 'groups', name, generation, '::generation', generation)
  group = lib.groupOf(name .. '@' .. generation)
  everyGroup, topicNotes = nil, nil
  if first then lib.inherit(group) end
  return group
end
