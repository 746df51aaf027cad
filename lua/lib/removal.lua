-- Removing groups in steps. The first step takes a group from sight and fences its sessions off; the others end a bounded number of its messages each; the
-- last deletes its keys. The hash `removing` has what is under way: field -> `<group>@<generation>`, and behind it the outcome, if not `removed`.
-- Needs: call, time, counts, range, groups, author, finish, session, batch-time.

--@include lib/purge
--@include lib/pass-keys

function lib.beginRemoval(group, field, outcome)
  call('HSET', P .. 'removing', field, group.ref .. (outcome and ' ' .. outcome or ''))
  lib.callWith('RPUSH', group.G .. 'expired', call('ZRANGE', group.G .. 'sessions', 0, -1))
  call('DEL', group.G .. 'sessions', group.G .. 'waiting')
  if group.isBehind then call('HDEL', P .. 'groups', '::behind@' .. lib.generationOf(group)) end
end

-- The group and the outcome of a removal under way.
function lib.removalOf(text)
  local ref, outcome = string.match(text, '^(%S+) ?(.*)$')
  return lib.groupOf(ref), outcome ~= '' and outcome or 'removed'
end

-- Of the first session that was fenced off. Answers how many messages were looked at and how many ended, and whether there was one.
function lib.endLeases(group, room, outcome)
  local id = call('LINDEX', group.G .. 'expired', 0)
  if not id then return 0, 0, false end
  local session, freed, ranges, messages = lib.sessionOf(group, id), {}, {}, 0
  local flat = call('HGETALL', session.leases)
  for i = 1, #flat, 2 do
    if messages >= room then break end
    freed[#freed + 1], ranges[#ranges + 1] = flat[i], lib.parseRange(flat[i + 1])
    messages = messages + ranges[#ranges].count
  end
  lib.callWith('HDEL', session.leases, freed)
  if 2 * #freed == #flat then
    call('DEL', session.key)
    call('ZREM', group.G .. 'roster', id)
    call('LPOP', group.G .. 'expired')
  end
  local ended = lib.finishRanges(ranges, outcome)
  lib.count(group.state, 'inFlight', -ended)
  return messages, ended, true
end

-- Of a log that was taken from sight with its topic. Nothing of it ends for anybody.
function lib.endLog(group, room)
  local key = group.G .. 'log'
  local flat = call('ZRANGE', key, 0, math.min(room, MOST_READ) - 1, 'WITHSCORES')
  if #flat > 0 then
    --@include lib/log-trim
    lib.leaveLog(key, lib.entriesOf(flat))
  end
  return #flat / 2, 0
end

local STEPS = {
  function(group, room, outcome) return lib.endLeases(group, room, outcome) end,
  function(group, room, outcome) return lib.purgeLines(group, room, outcome) end,
  function(group, room, outcome) return lib.purgeList(group, group.G .. 'ready', room, outcome) end,
  function(group, room, outcome) return lib.purgePrioritized(group, room, outcome) end,
  function(group, room, outcome) return lib.purgeList(group, group.G .. 'suspects', room, outcome) end,
  function(group, room, outcome) return lib.purgeRetries(group, room, outcome) end,
  function(group, room, outcome) return lib.purgeScheduled(group, room, outcome) end,
  function(group, room, outcome) return lib.purgeLater(group, room, outcome) end,
  function(group, room) return lib.purgeDead(group, room) end,
  function(group, room) return lib.endLog(group, room) end,
}

-- Ends up to `limit` messages of the removal `text` in that field. Answers how many it ended, and whether something is left; if not, the group's keys and the
-- field are gone.
function lib.goOnRemoving(field, text, limit)
  local group, outcome = lib.removalOf(text)
  local taken, ended, left = 0, 0, false
  endingGroup, lib.leavingGroups = group, lib.leavingGroups or { group }
  for _, step in ipairs(STEPS) do
    while true do
      if taken >= limit then
        left = true
        break
      end
      local n, over, again = step(group, limit - taken, outcome)
      taken, ended = taken + n, ended + over
      lib.passKeys(group)
      if n == 0 and not again then break end
    end
  end
  lib.writeFinished()
  lib.writeCounts()
  if left then return ended, true end
  local G = group.G
  call('DEL', G .. 'ready', G .. 'priority', G .. 'keys', G .. 'lines', G .. 'dead:traits', G .. 'suspects', G .. 'retry', G .. 'retrying', G .. 'dead', G .. 'failures', G .. 'done', G .. 'expired', G .. 'scheduled', G .. 'marks', G .. 'watched', G .. 'later', group.state)
  call('HDEL', P .. 'removing', field)
  return ended, false
end

-- The same with all removals under way whose groups are `wanted`.
function lib.goOnWith(limit, wanted)
  local ended, flat = 0, call('HGETALL', P .. 'removing')
  lib.leavingGroups = {}
  for i = 2, #flat, 2 do lib.leavingGroups[i / 2] = lib.removalOf(flat[i]) end
  for i = 1, #flat, 2 do
    if wanted(flat[i + 1]) then
      if ended >= limit then return ended, true end
      local n, left = lib.goOnRemoving(flat[i], flat[i + 1], limit - ended)
      ended = ended + n
      if left then return ended, true end
    end
  end
  return ended, false
end
