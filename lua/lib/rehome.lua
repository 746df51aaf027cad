-- One bad message does not pin the others of its batch: before it is retried, buried or suspected it is cut out and stored as a batch of one
-- under its id, and the counts move with it, each group for itself. Needs: call, range, finish.

--@include lib/slice

-- One message goes on under a name of its own (rehomed): for this group it has left the batch.
function lib.leaveBatch(range, index)
  local entry = ending[range.batch]
  lib.mark(entry, index, 1)
  entry.n = entry.n + 1
end

-- Answers the batch id under which the message goes on. The batch must have been learnt, the message be unfinished.
function lib.rehome(range, index)
  if range.total == 1 then return range.batch end
  local id = range.batch .. '.' .. index
  if call('HEXISTS', P .. 'batches', id) == 0 then
    call('HSETNX', P .. 'batches', id, lib.slice(range.batch, range.total, index, 1) or '')
  end
  call('HINCRBY', P .. 'pending', id, 1)
  lib.leaveBatch(range, index)
  return id
end
