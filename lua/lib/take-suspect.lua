-- Needs: call, counts, range, fetch.

-- One suspect, alone.
function lib.takeSuspect(group)
  local text = call('LPOP', group.G .. 'suspects')
  local range = lib.parseRange(text)
  lib.count(group.state, 'ready', -1)
  return { { range = range, text = text, value = lib.valuesOf({ range })[1] } }, 1
end
