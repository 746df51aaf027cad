-- Cuts messages out of a stored batch. A slice is a batch again: the header with its own count, the same windows of tables and regions.

--@include lib/envelope

function lib.littleEndian16(n)
  return string.char(n % 256, math.floor(n / 256))
end

-- The properties of a slice: of the keys that they list its own; one alone has the key as its key.
local function ownProperties(props, from, n)
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

-- What the first bytes of a batch say of it, and of the slice its properties. Keys that are listed are not read for a message whose key is known.
local function readHead(key, from, n, name)
  local head = call('GETRANGE', key, 0, 63)
  if #head < 20 then return nil end
  local sourceEnd, propsEnd = 15 + lib.u16(head, 14), 12 + lib.u16(head, 11)
  if propsEnd <= #head and propsEnd == sourceEnd then return head, string.sub(head, 13, propsEnd) end
  if n == 1 and name and sourceEnd < #head and string.byte(head, sourceEnd + 1) == KEYS then
    return head, string.sub(head, 13, sourceEnd) .. string.char(KEY) .. lib.littleEndian16(#name) .. name
  end
  local props = call('GETRANGE', key, 12, propsEnd - 1)
  return head, propsEnd == sourceEnd and props or ownProperties(props, from, n)
end

-- Of a batch of several, by GETRANGE: what lies around the slice is never copied. `name`: the ordering key of one message, if it is known.
function lib.cut(key, from, n, name)
  local head, props = readHead(key, from, n, name)
  if not head then return nil end
  local flags, total, endsAt = string.byte(head, 2), lib.u16(head, 3), 12 + lib.u16(head, 11)
  local expires, extras = flags % 2 == 1, flags >= 2
  local expiresAt = endsAt + 4 * (total + 1)
  local extraEndsAt = expiresAt + (expires and 8 * total or 0)
  local regionsAt = extraEndsAt + (extras and 4 * (total + 1) or 0)
  -- The tables as far as they are needed: all of them, if there is more than one.
  local tables = call('GETRANGE', key, endsAt, extras and regionsAt - 1 or expires and extraEndsAt - 1 or endsAt + 4 * (from + n + 1) - 1)
  -- Somebody else wrote over it: as good as lost.
  if from + n > total or #tables < (extras and regionsAt or expires and extraEndsAt or endsAt + 4 * (from + n + 1)) - endsAt then return nil end

  -- Bytes first..last of the region whose table is at `at` and that begins `base` bytes into the value.
  local function window(at, base)
    local zero = lib.u32(tables, at - endsAt + 1)
    local first, last = lib.u32(tables, at - endsAt + 1 + 4 * from) - zero, lib.u32(tables, at - endsAt + 1 + 4 * (from + n)) - zero
    if last <= first then return '' end
    return call('GETRANGE', key, base + first, base + last - 1)
  end

  local parts = { string.sub(head, 1, 2), lib.littleEndian16(n), string.sub(head, 5, 10), lib.littleEndian16(#props), props }
  parts[#parts + 1] = string.sub(tables, 1 + 4 * from, 4 * (from + n + 1))
  if expires then parts[#parts + 1] = string.sub(tables, expiresAt - endsAt + 1 + 8 * from, expiresAt - endsAt + 8 * (from + n)) end
  local bodiesAt = regionsAt
  if extras then
    local at = extraEndsAt - endsAt + 1
    parts[#parts + 1] = string.sub(tables, at + 4 * from, at - 1 + 4 * (from + n + 1))
    parts[#parts + 1] = window(extraEndsAt, bodiesAt)
    bodiesAt = bodiesAt + lib.u32(tables, at + 4 * total) - lib.u32(tables, at)
  end
  parts[#parts + 1] = window(endsAt, bodiesAt)
  return table.concat(parts)
end

-- The bytes of a range, or nil if Redis has lost them. `name`: see `cut`.
function lib.slice(batch, total, from, n, name)
  if total == 1 then return call('HGET', P .. 'batches', batch) or nil end
  local key = P .. 'b:' .. batch
  if from == 0 and n == total then return call('GET', key) or nil end
  return lib.cut(key, from, n, name)
end
