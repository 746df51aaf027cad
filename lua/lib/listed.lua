-- Ranges whose keys are listed (lib/range). Included where there may be any. Needs: range.

-- As ranges carry it; see docs/wire-format.md. `listed`: `&`, `*` or nil.
function lib.traitsText(priority, place, names, listed)
  return '!' .. string.format('%.0f', priority) .. (listed or '') .. (place and string.format('@%.0f', place) or '') .. ',' .. #names .. ',' .. names
end

-- The keys that a range lists: one of each message of its batch, or one.
function lib.keysOf(range)
  if not range.keys then
    local keys = {}
    for key in string.gmatch(range.listed, '[^\n]+') do keys[#keys + 1] = key end
    range.keys = keys
  end
  return range.keys
end

-- One message of a range, with the key and the traits that it has by itself.
function lib.oneOf(range, index)
  if not range.listed then return range end
  local keys = lib.keysOf(range)
  local key = keys[2] and keys[index + 1] or keys[1]
  local traits = lib.traitsText(range.priority, range.place, key)
  return {
    from = index, count = 1, total = range.total, batch = range.batch, tail = range.tail, key = key, priority = range.priority, place = range.place,
    traits = traits, lead = range.lead == range.traits and traits or '~' .. traits,
  }
end

-- Whether it lists its keys: where it waits it is unsorted (lib/keys).
function lib.isUnsorted(text)
  return string.find(text, '^~?!%-?%d+[&*]') ~= nil
end
