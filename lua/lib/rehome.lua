-- One bad message does not pin the others of its batch: before it is retried, buried or suspected it is cut out and stored as a batch of one
-- under its id, and the counts move with it, each group for itself. Needs: call, range, finish.

--@include lib/slice

-- One message goes on under a name of its own (rehomed): for this group it has left the batch.
function lib.leaveBatch(range, index)
  local entry = ending[range.batch]
  lib.mark(entry, index, 1)
  entry.n = entry.n + 1
end

-- Of the groups that may have a rehomed message, `failures` says which do. This is what it says where the message has not failed.
function lib.noteUnfailed(group, id)
  call('HSETNX', group.G .. 'failures', id, '0 0 . null')
end

-- Answers the batch id under which the message goes on. The batch must have been learnt, the message be unfinished; its failure must be
-- recorded, or that it has none.
function lib.rehome(range, index)
  if range.total == 1 then return range.batch end
  local id = range.batch .. '.' .. index
  local pending = call('HMGET', P .. 'pending', range.batch, id)
  if pending[2] then
    call('HINCRBY', P .. 'pending', id, 1)
  else
    local _, generation = lib.pairsOf(pending[1])
    call('HSETNX', P .. 'batches', id, lib.slice(range.batch, range.total, index, 1, range.key) or '')
    call('HSET', P .. 'pending', id, lib.pendingValue(1, generation))
  end
  lib.leaveBatch(range, index)
  return id
end
