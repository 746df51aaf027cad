-- Ranges of a list that are taken in parts (lib/heed, lib/sort). Needs: range.

-- What is left of a range in its list if a part of it is not taken, nor what follows. `cutOff`: of that part, { range, from }, where it begins in the range
-- as it stands there. The first part has none: with it all of the range stays.
function lib.leftOf(cutOff)
  local range = cutOff.range
  return lib.rangeText(range.batch, range.total, cutOff.from, range.from + (range.uncut or range.count) - cutOff.from, range.lead)
end
