-- `pending`: batch -> (message, group) pairs still to finish, and above 32 bits the generation of the last group that was given the batch: a group that
-- came later has nothing of it, and no other key would say so. 0: none was given any of it yet.

local ABOVE = 4294967296

-- Pairs and generation of what the hash has.
function lib.pairsOf(value)
  value = tonumber(value) or 0
  local left = value % ABOVE
  return left, (value - left) / ABOVE
end

function lib.pendingValue(left, generation)
  return generation * ABOVE + left -- Redis writes whole numbers with all of their digits
end
