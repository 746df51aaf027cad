-- How a group ended a message, as JSON. Needs: groups.

--@include lib/end-fields

function lib.reportBody(id, group, outcome, detail)
  local body = '{"id":' .. cjson.encode(id)
  local name = group and lib.groupName(group)
  if name then body = body .. ',"group":' .. cjson.encode(name) end
  return body .. ',"outcome":"' .. outcome .. '"' .. lib.endFields(detail) .. '}'
end

-- The same with the moment.
function lib.timedReport(time, ...)
  return '{"time":' .. string.format('%.0f', time) .. ',' .. string.sub(lib.reportBody(...), 2)
end
