-- Messages with a priority that no group has yet: apart, as they will be in their heir. Needs: all of enqueue.

--@include lib/by-traits

function lib.keepByTraits(plan)
  for _, front in ipairs({ false, true }) do
    local name = front and 'front' or 'back'
    local plain, prioritized, messages = lib.byPriority(plan[name])
    plan[name] = plain
    if #prioritized > 0 then
      lib.prioritize(P .. 'unclaimed:priority', prioritized, front)
      lib.count(P .. 'meta', 'unclaimedPrioritized', messages)
    end
  end
end
