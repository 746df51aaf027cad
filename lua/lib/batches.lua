-- Batches as they arrive in arguments. Needs: time.

--@include lib/envelope

-- Whether a batch that lists its messages' keys lists one of each, and says nothing else of them.
function lib.listsItsKeys(value, total)
  local props = lib.moreThanSource(value)
  local found = props and lib.properties(props)
  if not found or not found[KEYS] then return true end
  for tag in pairs(found) do
    if tag > 1 and tag ~= KEYS then return false end
  end
  local between, n = string.gsub(found[KEYS][1], '[^\n]+', '')
  return total > 1 and n == total and #between == total - 1
end

-- marks: `i` own id, `d<ms>` delay, `a<ms>` due at, `f` front, `e` its expiries are relative. Answers nil for what is no batch.
function lib.readBatch(value, marks, id, own)
  local total = lib.batchCount(value)
  if not total then return nil end
  local batch = { value = value, total = total, id = id }
  if not lib.listsItsKeys(value, total) then return nil end
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
