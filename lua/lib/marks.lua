-- Marks: what became of messages that wait in a list, where they cannot be found. Whoever takes ranges from there heeds them (lib/heed). A hash, by the name
-- that the message would have alone in its batch:
--   `=`              it goes on at this place, but as a batch of one of that name
--   `x<place>,<n>`   of the places of this name, those before <place> are nothing any more, <n> of them: it ended, or waits elsewhere. A place that is none in
--                    its traits is 0: places are of messages that went elsewhere, and of own ids published while there are marks.
-- A store is a group, or what no group has yet. Needs: call, counts, range, groups.

function lib.parseMark(text)
  local before, left = string.match(text, '^x(%d+),(%d+)$')
  if not before then return { isHere = true } end
  return { before = tonumber(before), left = tonumber(left) }
end

function lib.markText(mark)
  return mark.isHere and '=' or string.format('x%.0f,%d', mark.before, mark.left)
end

-- What no group has yet, as a store; it may end messages as a group does.
function lib.nobody()
  return { ref = '@', G = P .. 'unclaimed:', state = P .. 'meta', marksField = 'unclaimedMarks', staleField = 'unclaimedStale', laterField = 'unclaimedLater' }
end

function lib.countMarks(store, n)
  lib.count(store.state, store.marksField or 'marks', n)
  lib.count(P .. 'groups', '::marks', n)
end

-- Messages without a key that count as ready and are not: of those with one nobody knows whether they are ready or stand in the line.
function lib.countStale(store, n)
  lib.count(store.state, store.staleField or 'stale', n)
end

-- Where the message waits is nothing any more. Answers the place from which on it is something again.
function lib.outdate(store, name, key)
  local marks, before, left = store.G .. 'marks', lib.nextSequence(1), 1
  local known = call('HGET', marks, name)
  if known then
    left = left + (lib.parseMark(known).left or 0)
  else
    lib.countMarks(store, 1)
  end
  call('HSET', marks, name, lib.markText({ before = before, left = left }))
  if not key then lib.countStale(store, 1) end
  return before
end
