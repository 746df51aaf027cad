-- Takes one message out of where it waits, to end it or to let it wait elsewhere. Needs: all of locate and finish, counts, time.

--@include lib/marks

-- Its ordering key, or nil.
function lib.keyOf(message)
  if message.key == nil then
    local value = lib.envelopeOf(message)
    local props = value and lib.batchCount(value) and lib.moreThanSource(value)
    local keys = props and lib.properties(props)[KEY]
    message.key = keys and keys[1] or false
  end
  return message.key or nil
end

-- Of a place that is `waiting` or `retrying`. Answers the range to be finished: with its key if that is passed on, which is not while the message's place in a
-- list still stands for it.
function lib.withdraw(group, message, place)
  if place.at ~= 'retrying' then
    lib.outdate(group, message.name, lib.keyOf(message))
    return place.range
  end
  local text, _, joins = lib.memberRange(place.member)
  call('ZREM', group.G .. 'retry', place.member)
  call('HDEL', group.G .. 'retrying', place.range.batch)
  lib.count(group.state, 'retrying', -1)
  local range = lib.parseRange(text)
  if joins then range.key = nil end
  return range
end

function lib.withdrawScheduled(message, member)
  call('ZREM', P .. 'scheduled', member)
  call('HDEL', P .. 'deferred', message.name)
  lib.count(P .. 'meta', 'scheduled', -1)
  return lib.parseRange((lib.memberRange(member)))
end

-- Of what no group has yet. To be ended by `nobody`.
function lib.withdrawUnclaimed(message)
  lib.outdate(lib.nobody(), message.name, lib.keyOf(message))
  local several = message.several
  if message.lone then return { from = 0, count = 1, total = 1, batch = message.lone } end
  return { from = several.index, count = 1, total = several.total, batch = several.batch }
end

-- What was logged under this name before is not to be replayed.
function lib.withdrawFromLog(name)
  if not lib.settings().retain or call('EXISTS', P .. 'log') == 0 then return end
  call('ZADD', P .. 'log:gone', call('HGET', P .. 'meta', 'logEnd'), name)
end

-- `group`: nil if none was given it.
function lib.endOne(group, range, outcome)
  lib.writeFinished() -- what another finished
  local before = endingGroup
  endingGroup = group
  lib.learn({ range })
  local ended = lib.finish(range, range.from, 1, outcome)
  lib.writeFinished()
  if group then lib.withdrawFromLog(lib.nameOf(range.batch, range.total, range.from)) end
  endingGroup = before
  return ended
end
