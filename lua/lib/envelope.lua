-- Reads batches, see docs/wire-format.md. Never decodes a body.

--@include lib/batch-count
--@include lib/listed

-- tag -> list of values
function lib.properties(props)
  local at, found = 1, {}
  while at + 2 <= #props do
    local tag, length = string.byte(props, at), lib.u16(props, at + 1)
    local values = found[tag] or {}
    values[#values + 1] = string.sub(props, at + 3, at + 2 + length)
    found[tag] = values
    at = at + 3 + length
  end
  return found
end

local KEY, PRIORITY, OWNS, REPORT_TO, KEEP_RESULT, KEYS = 2, 3, 4, 5, 7, 8

-- Where the table of expiries begins, in a batch that has one.
function lib.expiryTable(value)
  return 13 + lib.u16(value, 11) + 4 * (lib.u16(value, 3) + 1)
end

function lib.u64(text, at)
  return lib.u32(text, at) + lib.u32(text, at + 4) * 4294967296
end

-- What decides where messages wait, as ranges carry it: '' for nothing. `place`: see lib/marks.
function lib.traitsOf(found, place)
  local priority = found[PRIORITY] and string.match(found[PRIORITY][1], '^-?%d+$')
  priority = priority and #priority <= 17 and tonumber(priority) or 0 -- clients refuse a longer one
  if found[KEYS] then return lib.traitsText(priority, place, found[KEYS][1], '&') end
  local key = found[KEY] and found[KEY][1] or ''
  if priority == 0 and key == '' and not place then return '' end
  return lib.traitsText(priority, place, key)
end

-- The properties, or nil if there is nothing but the source.
function lib.moreThanSource(value)
  if lib.isPlain(value) then return nil end
  return string.sub(value, 13, 12 + lib.u16(value, 11))
end
