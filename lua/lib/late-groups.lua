-- One message of a batch was put off, and a group came meanwhile: it has this one, and nothing else of the batch. Its `done` says so. Needs: call, groups.

-- `generation`: of the last group that has all of the batch.
function lib.giveToLateGroups(range, generation, groups)
  for _, group in ipairs(groups) do
    if lib.generationOf(group) > generation then
      local known = call('HGET', group.G .. 'done', range.batch) or string.rep('1', range.total)
      local from, stop = range.from, range.from + range.count
      call('HSET', group.G .. 'done', range.batch, string.sub(known, 1, from) .. string.rep('0', range.count) .. string.sub(known, stop + 1))
    end
  end
end
