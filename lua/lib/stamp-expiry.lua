-- Expiries arrive as milliseconds from now, so that no client's clock counts, and are stored as moments of Redis' clock. Needs: time, envelope.

function lib.u64Bytes(n)
  local bytes = {}
  for i = 1, 8 do
    bytes[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(bytes)
end

-- The batch with its table of expiries made absolute; nil if it has none.
function lib.stampExpiry(value)
  if string.byte(value, 2) % 2 == 0 then return nil end
  local total, at = lib.u16(value, 3), lib.expiryTable(value)
  if #value < at - 1 + 8 * total then return nil end
  local moments = {}
  for i = 0, total - 1 do
    local relative = lib.u64(value, at + 8 * i)
    moments[i + 1] = lib.u64Bytes(relative > 0 and now + relative or 0)
  end
  return string.sub(value, 1, at - 1) .. table.concat(moments) .. string.sub(value, at + 8 * total)
end
