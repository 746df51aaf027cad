-- Needs: finish.

-- The parts not finished, as { from, count }, in order.
function lib.unfinishedParts(range, from, n)
  local entry = ending[range.batch]
  local open = lib.unfinished(range, from, n)
  if open == 0 then return {} end
  if open == n then return { { from, n } } end
  local parts, at = {}, from + 1
  while true do
    local first = string.find(entry.marks, '0', at, true)
    if not first or first > from + n then return parts end
    local stop = string.find(entry.marks, '1', first, true) or #entry.marks + 1
    stop = math.min(stop, from + n + 1)
    parts[#parts + 1] = { first - 1, stop - first }
    at = stop
  end
end
