-- Takes what no group has yet out of the topic's sight, all at once: into a group without a name, which is removed from its birth, so that what is published
-- meanwhile does not mix with it. Needs: all of removal.

--@include lib/make-group

-- What is unclaimed is inherited: its heir's generation is in the names of its lines.
function lib.detachUnclaimed(outcome)
  local generation = call('HINCRBY', P .. 'meta', 'generation', 1)
  call('HSET', P .. 'groups', '::generation', generation)
  topicNotes = nil
  local group = lib.groupOf('@' .. generation)
  lib.inherit(group)
  lib.writeCounts()
  lib.beginRemoval(group, group.ref, outcome)
end

-- What the topic retains, and what was noted of it.
function lib.detachLog()
  if call('EXISTS', P .. 'log') == 0 then return end
  local group = lib.groupOf('@0' .. string.format('%.0f', lib.nextSequence(1)))
  call('RENAME', P .. 'log', group.G .. 'log')
  call('UNLINK', P .. 'log:gone')
  lib.beginRemoval(group, group.ref)
end

-- A number of its own, behind a 0 as no generation has, and the generation of the heir stays.
function lib.detachScheduled(outcome)
  local group = lib.groupOf('@0' .. string.format('%.0f', lib.nextSequence(1)))
  local n = tonumber(call('HGET', P .. 'meta', 'scheduled'))
  call('RENAME', P .. 'scheduled', group.G .. 'scheduled')
  call('DEL', P .. 'deferred')
  lib.count(P .. 'meta', 'scheduled', -n)
  lib.count(group.state, 'scheduled', n)
  lib.writeCounts()
  lib.beginRemoval(group, group.ref, outcome)
end
