-- Dead letters are kept within bounds of number and age. Needs: call, time, counts, range, finish.

local MOST_TRIMMED = 10 -- and as many more as died in this script, so that no stream of deaths outruns the bound
local DEAD_MAX, DEAD_KEEP_MS = 100000, 1209600000

-- The oldest beyond the bounds finish, a few at a call. Nobody is told: it was reported when they died.
function lib.trimDead(group, deadMax, deadKeepMs)
  local dead = group.G .. 'dead'
  local most = MOST_TRIMMED + math.max(0, lib.counting(group.state, 'dead'))
  local oldest = call('ZRANGE', dead, 0, most - 1, 'WITHSCORES')
  if #oldest == 0 then return end
  local surplus = call('ZCARD', dead) - (tonumber(deadMax) or DEAD_MAX)
  local before = now - (tonumber(deadKeepMs) or DEAD_KEEP_MS)
  local trimmed = {}
  for i = 1, #oldest, 2 do
    if (i + 1) / 2 <= surplus or tonumber(oldest[i + 1]) < before then trimmed[#trimmed + 1] = oldest[i] end
  end
  lib.callWith('ZREM', dead, trimmed)
  lib.callWith('HDEL', dead .. ':traits', trimmed)
  lib.count(group.state, 'dead', -#trimmed)
  for _, id in ipairs(trimmed) do
    local range = lib.parseRange(lib.loneRange(id))
    lib.learn({ range })
    lib.finish(range, 0, 1)
  end
end
