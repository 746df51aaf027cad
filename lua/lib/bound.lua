-- The bound of a topic's waiting messages (`maxWaiting`). A unit for which there is no room is refused whole. Included where a topic has one.
-- Needs: call, time, counts, groups. ARGV[9] says whether the producer keeps what is refused, and which bus is told of room then.

--@include lib/count-waiting

local bound, room

function lib.roomLeft()
  if not room then
    bound = tonumber(lib.settings().maxWaiting)
    room = bound - lib.messagesWaiting()
  end
  return room
end

-- The messages of a unit that nothing else keeps out, and how many of those that wait it replaces. Answers why they may not wait, and 0 if they may
-- once others are gone; nil if they may: then they are counted. Behind a unit that its producer keeps none is let in, or it would overtake.
function lib.noRoomFor(n, replaced)
  local left = lib.roomLeft() + replaced
  if n > bound then return 'it alone exceeds maxWaiting, which is ' .. bound, -1 end
  if lib.blocked or n > 0 and n > left then
    if ARGV[9] ~= '' and not lib.blocked then lib.blocked = n end
    return 'it would exceed maxWaiting, which is ' .. bound, 0
  end
  room = left - n
end

function lib.refuseUnit(messages, outcomes, reason, retryMs)
  for _, message in ipairs(messages) do
    outcomes[#outcomes + 1] = { message.position, 'reject', 'maxWaiting', reason, retryMs }
    lib.leaveOut(message)
  end
end

-- Of a unit that its guards let in. What it replaces and is not delayed any more goes on waiting.
function lib.isBeyondBound(messages, replaced, outcomes)
  local fresh, leaving = 0, 0
  for _, message in ipairs(messages) do
    if not message.out then fresh = fresh + 1 end
  end
  for _, id in ipairs(replaced) do
    local message = lib.findMessage(id)
    leaving = leaving + (message and lib.scheduledAs(message) and 1 or 0)
  end
  local reason, retryMs = lib.noRoomFor(fresh, leaving)
  if reason then lib.refuseUnit(messages, outcomes, reason, retryMs) end
  return reason ~= nil
end

-- Notes whom to tell when there is room for the unit that was refused first.
function lib.awaitRoom()
  if ARGV[9] == '-' then return end
  call('ZADD', P .. 'blocked', 'NX', now, ARGV[9])
  call('HSET', P .. 'blocked:need', ARGV[9], lib.blocked)
  call('HSET', P .. 'meta', 'blocked', 1)
end
