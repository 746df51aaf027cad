-- A message of a batch that lives on ended before any group had it (it was put off, or unclaimed): whoever is given the rest of the batch has finished it.
-- Needs: call, groups, finish.

-- What `marks` says is finished as well. Both are strings of `0` and `1`.
function lib.mergeDone(key, batch, marks)
  local known = call('HGET', key, batch)
  if not known then return marks end
  local merged = {}
  for i = 1, #marks do merged[i] = (string.byte(marks, i) == 49 or string.byte(known, i) == 49) and '1' or '0' end
  return table.concat(merged)
end

-- alive: [batch, anything, ...] of those that ended just now and live on.
function lib.writeDoneForAll(alive)
  local groups = lib.allGroups()
  for i = 1, #alive, 2 do
    local entry = ending[alive[i]]
    local marks = entry.total > 1 and lib.marksOf(entry)
    for _, group in ipairs(marks and groups or {}) do
      if lib.generationOf(group) <= entry.generation then
        call('HSET', group.G .. 'done', entry.batch, lib.mergeDone(group.G .. 'done', entry.batch, marks))
      end
    end
    if marks and #groups == 0 then
      call('HSET', P .. 'unclaimed:done', entry.batch, lib.mergeDone(P .. 'unclaimed:done', entry.batch, marks))
    end
  end
end
