-- What a group has put off: a zset by due time, and a hash by which a message is found there. Needs: call, counts, range.

function lib.putOff(group, batch, due, text)
  local member = lib.member(lib.nextSequence(1), text)
  call('ZADD', group.G .. 'retry', due, member)
  call('HSET', group.G .. 'retrying', batch, member)
  lib.count(group.state, 'retrying', 1)
  if not group.retryDue or due < group.retryDue then group.retryDue = due end
end
