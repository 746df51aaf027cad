-- Batches as they arrive in arguments. Needs: time.

--@include lib/envelope

-- marks: `i` own id, `d<ms>` delay, `a<ms>` due at, `f` front, `e` its expiries are relative. Answers nil for what is no batch.
function lib.readBatch(value, marks, id, own)
  local total = lib.batchCount(value)
  if not total then return nil end
  local batch = { value = value, total = total, id = id }
  if marks == '' then return batch end
  if string.find(marks, 'e', 1, true) then
    --@include lib/stamp-expiry
    batch.value = lib.stampExpiry(value)
    if not batch.value then return nil end
  end
  if string.find(marks, 'i', 1, true) then
    if total > 1 or own == nil or own == '' then return nil end
    batch.own, batch.id = own, '=' .. own
  end
  local delay, at = string.match(marks, 'd(%d+)'), string.match(marks, 'a(%d+)')
  batch.due = delay and now + tonumber(delay) or tonumber(at)
  batch.front = string.find(marks, 'f', 1, true) ~= nil
  return batch
end
