-- The one way to become ready: publish, promotion, release, recovery, redrive, inheritance.
-- What ordering keys (lines) and priorities need to branch off by, branches off here, and is taken back in fetch.lua.

--@include lib/has-traits

function lib.reversed(items)
  local result, n = {}, #items
  for i = 1, n do result[i] = items[n + 1 - i] end
  return result
end

function lib.anyTraits(ranges)
  for _, text in ipairs(ranges) do
    if lib.hasTraits(text) then return true end
  end
  return false
end

-- `ranges` in the order in which they are to be taken; with `front` before all that is ready (of their priority), else after it.
-- `how` they come, for those with a key: nil, they join its line; `out`, they have its turn; `returned`, a session had them (`passKeys` follows).
function lib.makeReady(group, ranges, messages, front, how)
  if #ranges == 0 then return end
  lib.count(group.state, 'ready', messages)
  group.wake = true
  if lib.anyTraits(ranges) then
    --@include lib/by-traits
    ranges = lib.placeByTraits(group, ranges, front, how)
  end
  if front then
    lib.callWith('LPUSH', group.G .. 'ready', lib.reversed(ranges))
  else
    lib.callWith('RPUSH', group.G .. 'ready', ranges)
  end
end

-- Messages with a crash to their name run alone, one after the other. They count as ready.
function lib.makeSuspect(group, ranges)
  if #ranges == 0 then return end
  lib.callWith('LPUSH', group.G .. 'suspects', lib.reversed(ranges))
  lib.count(group.state, 'ready', #ranges)
  group.wake = true
end
