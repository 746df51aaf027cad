-- Consumer groups. A group's keys carry its generation, so a removed group never mixes with its successor.

local met = {}

local function groupOf(ref)
  local group = met[ref]
  if not group then
    group = { ref = ref, G = P .. ref .. ':', state = P .. ref .. ':state' }
    met[ref] = group
  end
  return group
end

local function groupName(group)
  return string.match(group.ref, '^(.*)@')
end

local everyGroup

local function allGroups()
  if not everyGroup then
    everyGroup = {}
    local pairs_ = call('HGETALL', P .. 'groups')
    for i = 1, #pairs_, 2 do everyGroup[#everyGroup + 1] = groupOf(pairs_[i] .. '@' .. pairs_[i + 1]) end
  end
  return everyGroup
end

-- nil if there is none of this name.
local function findGroup(name)
  local generation = call('HGET', P .. 'groups', name)
  return generation and groupOf(name .. '@' .. generation) or nil
end
