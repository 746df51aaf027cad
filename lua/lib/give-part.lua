-- Groups are given some of a batch of several, and not all of it at once: a guard refused some or put it off. Their `done` says so: what they were not given is
-- as good as finished. Needs: call, groups.

local function give(key, range)
  local known = call('HGET', key, range.batch) or string.rep('1', range.total)
  local from, stop = range.from, range.from + range.count
  call('HSET', key, range.batch, string.sub(known, 1, from) .. string.rep('0', range.count) .. string.sub(known, stop + 1))
end

-- Without groups it is given to their heir.
function lib.givePart(range, groups)
  for _, group in ipairs(groups) do give(group.G .. 'done', range) end
  if #groups == 0 then give(P .. 'unclaimed:done', range) end
end
