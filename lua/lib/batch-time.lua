-- When a batch was handed over, read from its header; nil if Redis has lost it. Needs: call.

function lib.batchTime(range)
  local bytes
  if range.total == 1 then
    bytes = string.sub(call('HGET', P .. 'batches', range.batch) or '', 5, 10)
  else
    bytes = call('GETRANGE', P .. 'b:' .. range.batch, 4, 9)
  end
  if #bytes < 6 then return nil end
  local time, unit = 0, 1
  for i = 1, 6 do
    time = time + string.byte(bytes, i) * unit
    unit = unit * 256
  end
  return time
end
