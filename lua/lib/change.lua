-- Lets a message that waits go on otherwise: with other bytes, another priority, at another time. Needs: all of locate, withdraw, enqueue and retrying, time.
--
-- A message that stays where it is goes on there under its name (the mark `=`); one that moves leaves a place that is nothing any more (lib/outdate), and
-- has a place of its own where it waits from then on. A change is { delay = ms or nil, moves = its priority is another, found = properties of its bytes }.

--@include lib/rehome

-- It goes on as a batch of one, also for those that only have it as part of one.
local function alone(store, message, range)
  if range.total == 1 then return range.batch end
  lib.writeFinished()
  local before = endingGroup
  endingGroup = store
  lib.learn({ range })
  local name = lib.rehome(range, range.from)
  if store then lib.noteUnfailed(store, name) end
  lib.writeFinished()
  endingGroup = before
  message.lone, message.generation = name, message.several.generation
  return name
end

-- Where it waits in a list of a group, or of what no group has yet. `move(name, traits)` puts it where it waits from now on.
local function leavePlace(store, message, range, change, move)
  local name = alone(store, message, range)
  local place = lib.outdate(store, message.name, change.found[KEY] and change.found[KEY][1])
  move(name, lib.traitsOf(change.found, place))
end

local function stayInPlace(store, message, range)
  if range.total == 1 then return end
  local name = alone(store, message, range)
  local marks = store.G .. 'marks'
  if call('HSETNX', marks, name, lib.markText({ isHere = true })) == 1 then lib.countMarks(store, 1) end
end

function lib.changeWaiting(group, message, place, change)
  if change.delay and change.delay > 0 then
    leavePlace(group, message, place.range, change, function(name, traits)
      lib.putOff(group, name, now + change.delay, '>' .. lib.loneRange(name, traits))
      lib.setTimerFor(group, now + change.delay)
    end)
  elseif change.moves then
    leavePlace(group, message, place.range, change, function(name, traits)
      local _, crashes = lib.failureOf(group, name)
      if crashes > 0 then return lib.makeSuspect(group, { lib.loneRange(name, traits) }) end
      lib.give(group, { lib.loneRange(name, traits) }, 1)
    end)
  else
    stayInPlace(group, message, place.range)
  end
end

function lib.changeRetrying(group, place, change)
  local name, retry = place.range.batch, group.G .. 'retry'
  local due = change.delay and now + change.delay or tonumber(call('ZSCORE', retry, place.member))
  local text, _, joins = lib.memberRange(place.member)
  local range = lib.parseRange(text)
  local again = string.byte(range.lead) == 126 and '~' or ''
  call('ZREM', retry, place.member)
  lib.count(group.state, 'retrying', -1)
  lib.putOff(group, name, due, (joins and '>' or '') .. lib.loneRange(name, again .. lib.traitsOf(change.found, range.place)))
  if change.delay then lib.setTimerFor(group, due) end
end

local function schedule(name, message, due, flag, traits)
  local member = lib.member(lib.nextSequence(1), flag .. lib.loneRange(name, traits))
  call('ZADD', P .. 'scheduled', due, member)
  call('HSET', P .. 'deferred', message.name, member)
  lib.count(P .. 'meta', 'scheduled', 1)
  for _, group in ipairs(lib.allGroups()) do lib.setTimerFor(group, due) end
end

function lib.changeScheduled(message, member, change)
  local due = change.delay and now + change.delay or tonumber(call('ZSCORE', P .. 'scheduled', member))
  local text, isFront = lib.memberRange(member)
  local range = lib.parseRange(text)
  local name = alone(nil, message, range)
  if range.total > 1 then call('HSET', P .. 'pending', name, lib.pendingValue(1, 0)) end -- no group was given it
  call('ZREM', P .. 'scheduled', member)
  lib.count(P .. 'meta', 'scheduled', -1)
  schedule(name, message, due, isFront and '^' or '', lib.traitsOf(change.found, range.place))
end

function lib.changeUnclaimed(message, range, change)
  local nobody = lib.nobody()
  if change.delay and change.delay > 0 then
    leavePlace(nobody, message, range, change, function(name, traits)
      lib.withdrawFromLog(message.name) -- due, it is logged again
      call('HSET', P .. 'pending', name, lib.pendingValue((lib.pairsOf(call('HGET', P .. 'pending', name))), 0)) -- no group was given it
      call('HDEL', nobody.G .. 'failures', name)
      schedule(name, message, now + change.delay, '', traits)
    end)
  elseif change.moves then
    leavePlace(nobody, message, range, change, function(name, traits)
      lib.keepUnclaimed({ back = { lib.loneRange(name, traits) }, backCount = 1, front = {}, frontCount = 0 })
    end)
  else
    stayInPlace(nobody, message, range)
  end
end
