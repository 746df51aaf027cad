-- The one way to become ready: publish, promotion, release, recovery, redrive, inheritance.
-- What ordering keys (lines) and priorities need to branch off by, branches off here, and is taken back in fetch.lua.

local function reversed(items)
  local result, n = {}, #items
  for i = 1, n do result[i] = items[n + 1 - i] end
  return result
end

-- `ranges` in the order in which they are to be taken; with `front` before all that is ready, else after it.
local function makeReady(group, ranges, messages, front)
  if #ranges == 0 then return end
  if front then
    callWith('LPUSH', group.G .. 'ready', reversed(ranges))
  else
    callWith('RPUSH', group.G .. 'ready', ranges)
  end
  count(group.state, 'ready', messages)
  group.wake = true
end

-- Messages with a crash to their name run alone, one after the other. They count as ready.
local function makeSuspect(group, ranges)
  if #ranges == 0 then return end
  callWith('LPUSH', group.G .. 'suspects', reversed(ranges))
  count(group.state, 'ready', #ranges)
  group.wake = true
end
