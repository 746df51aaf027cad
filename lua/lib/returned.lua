-- What comes back of leases. Needs: range.

--@include lib/listed

-- Adds messages from .. from + n - 1 of a lease's range to a list that is in the order from last to first: one range, or one for each if they have keys of
-- their own, for each joins the line of its own. `again`: they may have been run before.
function lib.addReturned(list, range, from, n, again)
  if not range.listed then
    list[#list + 1] = lib.rangeText(range.batch, range.total, from, n, again and '~' .. range.traits or range.lead)
    return
  end
  for index = from + n - 1, from, -1 do
    local one = lib.oneOf(range, index)
    list[#list + 1] = lib.rangeText(range.batch, range.total, index, 1, again and '~' .. one.traits or one.lead)
  end
end
