-- One message alone, of which nothing is said but its body, to groups of which nothing is said either: what a publish on a quiet topic is. A script makes its
-- functions anew at every call, so this comes before all that it can do without. Needs: call, time, counts, groups, wake.

--@include lib/batch-count
--@include lib/pending
--@include lib/push

local REMEMBERED_S = 86400

-- Answers the reply, or nil if it takes more than this; then nothing was written.
function lib.publishOne(session, number, value)
  local record = call('GET', P .. 'p:' .. session)
  lib.record = record
  if tonumber(record or '') ~= number - 1 then return nil end
  if lib.batchCount(value) ~= 1 or string.byte(value, 2) % 2 == 1 or not lib.isPlain(value) then return nil end
  local groups = lib.allGroups()
  if #groups == 0 or next(lib.settings()) or lib.noted('deleted') > 0 then return nil end

  local id = session .. '-' .. string.format('%.0f', number) .. '-0'
  call('HSET', P .. 'batches', id, value)
  call('HSET', P .. 'pending', id, lib.pendingValue(#groups, lib.noted('generation')))
  for _, group in ipairs(groups) do lib.giveAlone(group, '0,1,1,' .. id, value) end
  lib.writeCounts()
  lib.wakeMarked()
  call('SET', P .. 'p:' .. session, number, 'EX', REMEMBERED_S)
  return { 0, now, {}, {}, 0 }
end
