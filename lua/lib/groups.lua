-- Consumer groups. A group's keys carry its generation, so a removed group never mixes with its successor.

local met = {}

function lib.groupOf(ref)
  local group = met[ref]
  if not group then
    group = { ref = ref, G = P .. ref .. ':', state = P .. ref .. ':state', line = P .. string.match(ref, '@%d+$') .. ':key:' }
    met[ref] = group
  end
  return group
end

function lib.groupName(group)
  return string.match(group.ref, '^(.*)@')
end

local everyGroup

function lib.allGroups()
  if not everyGroup then
    everyGroup = {}
    local pairs_ = call('HGETALL', P .. 'groups')
    for i = 1, #pairs_, 2 do everyGroup[#everyGroup + 1] = lib.groupOf(pairs_[i] .. '@' .. pairs_[i + 1]) end
  end
  return everyGroup
end

-- nil if there is none of this name.
function lib.findGroup(name)
  local generation = call('HGET', P .. 'groups', name)
  return generation and lib.groupOf(name .. '@' .. generation) or nil
end
