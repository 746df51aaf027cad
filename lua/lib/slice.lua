-- Cuts messages out of a stored batch. A slice is a batch again: the header with its own count, the same windows of tables and regions.

--@include lib/envelope

function lib.littleEndian16(n)
  return string.char(n % 256, math.floor(n / 256))
end

-- The properties of a slice: of the keys that they list its own; one alone has the key as its key.
function lib.propertiesOfSlice(props, from, n)
  local at, parts = 1, {}
  while at + 2 <= #props do
    local length = lib.u16(props, at + 1)
    local entry = string.sub(props, at, at + 2 + length)
    if string.byte(entry) == KEYS then
      local keys, index = {}, 0
      for key in string.gmatch(string.sub(entry, 4), '[^\n]+') do
        if index >= from and index < from + n then keys[#keys + 1] = key end
        index = index + 1
      end
      local names = table.concat(keys, '\n')
      entry = string.char(n == 1 and KEY or KEYS) .. lib.littleEndian16(#names) .. names
    end
    parts[#parts + 1] = entry
    at = at + 3 + length
  end
  return table.concat(parts)
end

-- Of a batch of several, by GETRANGE: what lies around the slice is never copied.
function lib.cut(key, from, n)
  local head = call('GETRANGE', key, 0, 11)
  if #head < 12 then return nil end
  local flags, total, propsLength = string.byte(head, 2), lib.u16(head, 3), lib.u16(head, 11)
  local expires, extras = flags % 2 == 1, flags >= 2
  local endsAt = propsLength
  local expiresAt = endsAt + 4 * (total + 1)
  local extraEndsAt = expiresAt + (expires and 8 * total or 0)
  local length = extraEndsAt + (extras and 4 * (total + 1) or 0)
  local tables = call('GETRANGE', key, 12, 11 + length) -- properties and tables
  -- Somebody else wrote over it: as good as lost.
  if #tables < length or from + n > total then return nil end

  -- Bytes first..last of the region whose table is at `at` and that begins `base` bytes into the value.
  local function window(at, base)
    local zero = lib.u32(tables, at + 1)
    local first, last = lib.u32(tables, at + 1 + 4 * from) - zero, lib.u32(tables, at + 1 + 4 * (from + n)) - zero
    if last <= first then return '' end
    return call('GETRANGE', key, base + first, base + last - 1)
  end

  local props = string.sub(tables, 1, propsLength)
  local _, sourceLow, sourceHigh = string.byte(props, 1, 3)
  if propsLength > 3 and sourceLow + sourceHigh * 256 + 3 < propsLength then props = lib.propertiesOfSlice(props, from, n) end
  local parts = { string.sub(head, 1, 2), lib.littleEndian16(n), string.sub(head, 5, 10), lib.littleEndian16(#props), props }
  parts[#parts + 1] = string.sub(tables, endsAt + 1 + 4 * from, endsAt + 4 * (from + n + 1))
  if expires then parts[#parts + 1] = string.sub(tables, expiresAt + 1 + 8 * from, expiresAt + 8 * (from + n)) end
  local bodiesAt = 12 + length
  if extras then
    parts[#parts + 1] = string.sub(tables, extraEndsAt + 1 + 4 * from, extraEndsAt + 4 * (from + n + 1))
    parts[#parts + 1] = window(extraEndsAt, bodiesAt)
    bodiesAt = bodiesAt + lib.u32(tables, extraEndsAt + 1 + 4 * total) - lib.u32(tables, extraEndsAt + 1)
  end
  parts[#parts + 1] = window(endsAt, bodiesAt)
  return table.concat(parts)
end

-- The bytes of a range, or nil if Redis has lost them.
function lib.slice(batch, total, from, n)
  if total == 1 then return call('HGET', P .. 'batches', batch) or nil end
  local key = P .. 'b:' .. batch
  if from == 0 and n == total then return call('GET', key) or nil end
  return lib.cut(key, from, n)
end
