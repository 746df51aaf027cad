-- Counts of messages are kept as differences while a script runs and written once, so that what leaves one state and enters another in the
-- same script (a range acked, another fetched) costs nothing.

local counted = {}

function lib.count(key, field, difference)
  local fields = counted[key]
  if not fields then
    fields = {}
    counted[key] = fields
  end
  fields[field] = (fields[field] or 0) + difference
end

function lib.counting(key, field)
  local fields = counted[key]
  return fields and fields[field] or 0
end

function lib.writeCounts()
  for key, fields in pairs(counted) do
    for field, difference in pairs(fields) do
      if difference ~= 0 then call('HINCRBY', key, field, difference) end
    end
  end
  counted = {}
end
