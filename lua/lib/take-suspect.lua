-- Needs: call, counts, range, fetch.

-- One suspect, alone.
function lib.takeSuspect(group)
  local text = call('LPOP', group.G .. 'suspects')
  local range = lib.parseRange(text)
  lib.count(group.state, 'ready', -1)
  local item = { range = range, text = text, value = lib.valuesOf({ range })[1] }
  if group.isMarked then
    --@include lib/heed
    item.range = lib.partsOf(group, { range })[1]
    item.gone = item.range.gone
    lib.heedTaken(group, { item })
  end
  return { item }, 1
end
