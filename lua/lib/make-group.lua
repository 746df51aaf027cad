-- Makes a group if it does not exist. The topic's first inherits what was published before there was any: both are lists of ranges, so that is
-- one RENAME, and `pending`, one per message, is already right. Needs: call, counts, groups.

function lib.makeGroup(name)
  local group = lib.findGroup(name)
  if group then return group end
  local first = call('HLEN', P .. 'groups') == 0
  local generation = call('HINCRBY', P .. 'meta', 'generation', 1)
  call('HSET', P .. 'groups', name, generation)
  group = lib.groupOf(name .. '@' .. generation)
  everyGroup = nil
  if first and call('EXISTS', P .. 'unclaimed') == 1 then
    call('RENAME', P .. 'unclaimed', group.G .. 'ready')
    local inherited = tonumber(call('HGET', P .. 'meta', 'unclaimed') or 0)
    lib.count(P .. 'meta', 'unclaimed', -inherited)
    lib.count(group.state, 'ready', inherited)
  end
  return group
end
