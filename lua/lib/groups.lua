-- Consumer groups. A group's keys carry its generation, so a removed group never mixes with its successor.
-- The hash `groups` holds the topic's settings as well, under names that begin with a colon, as no group's does, and what the scripts themselves note, under
-- names that begin with two: who reads the one has the others.

local met = {}

function lib.groupOf(ref)
  local group = met[ref]
  if not group then
    group = { ref = ref, G = P .. ref .. ':', state = P .. ref .. ':state', line = P .. string.match(ref, '@%d+$') .. ':key:' }
    met[ref] = group
  end
  return group
end

-- nil for what is removed before a group had it: see detach.
function lib.groupName(group)
  return string.match(group.ref, '^(.+)@')
end

function lib.generationOf(group)
  return tonumber(string.match(group.ref, '@(%d+)$'))
end

local everyGroup, topicSettings, topicNotes

-- lib.groupsRead: what the hash has, if the script has read it.
local function readGroups()
  everyGroup, topicSettings, topicNotes = {}, {}, {}
  local pairs_, areBehind = lib.groupsRead or call('HGETALL', P .. 'groups'), false
  for i = 1, #pairs_, 2 do
    local name, value = pairs_[i], pairs_[i + 1]
    if string.byte(name) ~= 58 then
      everyGroup[#everyGroup + 1] = lib.groupOf(name .. '@' .. value)
    elseif string.byte(name, 2) ~= 58 then
      topicSettings[string.sub(name, 2)] = value
    else
      topicNotes[string.sub(name, 3)] = tonumber(value)
      areBehind = areBehind or string.byte(name, 3) == 98 -- `::behind@<generation>`
    end
  end
  if areBehind then
    for _, group in ipairs(everyGroup) do group.isBehind = topicNotes['behind@' .. lib.generationOf(group)] ~= nil end
  end
end

function lib.allGroups()
  if not everyGroup then readGroups() end
  return everyGroup
end

-- Name -> value of what is set for the topic, as text.
function lib.settings()
  if not topicSettings then readGroups() end
  return topicSettings
end

-- The scripts' own numbers. `generation`: of the last group made. `marks`: in all groups. `deleted`: when the topic was, and nobody has begun it anew. `logs`: it has
-- retained messages. `later`: what no group has yet is in `unclaimed:later`. `behind@<generation>`: that group replays (lib/catch-up). `sorts`: see lib/keys.
function lib.noted(name)
  if not topicNotes then readGroups() end
  return topicNotes[name] or 0
end

-- nil if there is none of this name.
function lib.findGroup(name)
  local generation = call('HGET', P .. 'groups', name)
  return generation and lib.groupOf(name .. '@' .. generation) or nil
end
