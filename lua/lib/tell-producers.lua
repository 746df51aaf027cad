-- Tells producers that wait for room, the first to wait first, when there is room for what each was refused; and how much. Included where `meta` says
-- that there are any. Needs: call, counts (written), groups.

--@include lib/count-waiting

local MOST_TOLD, UNBOUNDED = 8, 1000000

function lib.tellProducers()
  local bound = tonumber(lib.settings().maxWaiting)
  local left = bound and bound - lib.messagesWaiting() or UNBOUNDED
  if left <= 0 then return end
  local blocked, needs = P .. 'blocked', P .. 'blocked:need'
  local first, told, needed = call('ZRANGE', blocked, 0, MOST_TOLD - 1), {}, {}
  for i, need in ipairs(lib.readWith('HMGET', needs, first)) do
    need = math.min(need or 1, bound or math.huge) -- the bound may be lower by now: then it is told that there never will be room
    if need <= left then
      told[#told + 1], needed[#needed + 1] = first[i], need
      left = left - need
    end
  end
  lib.callWith('ZREM', blocked, told)
  lib.callWith('HDEL', needs, told)
  if call('EXISTS', blocked) == 0 then call('HDEL', P .. 'meta', 'blocked') end
  -- Nobody may hear it: then the room is there for whoever publishes.
  local share = math.floor(left / math.max(1, #told))
  for i, bus in ipairs(told) do call('PUBLISH', P .. 'room:' .. bus, needed[i] + share) end
end
