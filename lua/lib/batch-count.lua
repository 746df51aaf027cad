-- What a batch says of itself, see docs/wire-format.md: its integers, and whether it is one.

function lib.u16(text, at)
  local a, b = string.byte(text, at, at + 1)
  return a + b * 256
end

function lib.u32(text, at)
  local a, b, c, d = string.byte(text, at, at + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

-- The number of messages, or nil if this is no batch that we know: its tables must be there, and its regions be as long as they say. So whoever
-- reads them later finds bytes. What stands within a table is for clients to judge; nothing is cut by it but the message itself.
function lib.batchCount(value)
  local flags = string.byte(value, 2)
  if #value < 20 or string.byte(value, 1) ~= 1 or flags > 3 then return nil end
  local n, ends = lib.u16(value, 3), 13 + lib.u16(value, 11)
  local extraEnds = ends + 4 * (n + 1) + (flags % 2 == 1 and 8 * n or 0)
  local regions = extraEnds + (flags >= 2 and 4 * (n + 1) or 0)
  if n == 0 or #value < regions then return nil end
  local size = regions - 1 + lib.u32(value, ends + 4 * n) - lib.u32(value, ends)
  if flags >= 2 then size = size + lib.u32(value, extraEnds + 4 * n) - lib.u32(value, extraEnds) end
  return size == #value and n or nil
end

-- Whether it has no properties but its source: the usual case costs two reads of two bytes.
function lib.isPlain(value)
  local length = lib.u16(value, 11)
  return length < 3 or lib.u16(value, 14) + 3 == length
end
