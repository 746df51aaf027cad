-- A client that looked for a message and died leaves its watch, which no longer helps anybody. Needs: call, time, counts, groups.

local WATCHED_MS = 60000

-- Looks at some, at every renewal.
function lib.endOldWatches(group)
  local some, old = call('HRANDFIELD', group.G .. 'watched', 10, 'WITHVALUES'), {}
  for i = 1, #some, 2 do
    if tonumber(some[i + 1]) < now - WATCHED_MS then old[#old + 1] = some[i] end
  end
  lib.callWith('HDEL', group.G .. 'watched', old)
  lib.count(group.state, 'watching', -#old)
end
