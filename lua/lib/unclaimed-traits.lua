-- Messages with a priority or a key that no group has yet: apart, as they will be in their heir. Its lines have its generation in their names, so
-- that they are its own from the beginning. Needs: all of enqueue.

--@include lib/by-traits
--@include lib/keys

function lib.keepByTraits(plan)
  local heir = tonumber(call('HGET', P .. 'meta', 'generation') or 0) + 1
  local nobody = { G = P .. 'unclaimed:', line = P .. '@' .. heir .. ':key:', state = P .. 'meta', unsortedField = 'unclaimedUnsorted' }
  for _, front in ipairs({ false, true }) do
    local name = front and 'front' or 'back'
    local texts, held = lib.joinLines(nobody, plan[name], front)
    lib.count(P .. 'meta', 'unclaimedHeld', held)
    local plain, prioritized, messages = lib.byPriority(texts)
    plan[name] = plain
    if #prioritized > 0 then
      lib.prioritize(P .. 'unclaimed:priority', prioritized, front)
      lib.count(P .. 'meta', 'unclaimedPrioritized', messages)
    end
  end
end
