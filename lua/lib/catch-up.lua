-- A group that is behind goes on: first it replays what the topic retains from before the group was made, up to where the log ended then, and behind that
-- takes what was published since. A bounded piece at a call, and only while little is ready, so that what is retained is not all copied at once.
-- Needs: call, time, counts, range, groups.

--@include lib/ready
--@include lib/later

local MOST_CAUGHT_UP, MOST_CAUGHT_UP_RANGES = 1000, 64

-- Answers whether the group is still behind.
function lib.takeLater(group)
  local list, taken, messages = group.G .. 'later', {}, 0
  local texts = call('LRANGE', list, 0, MOST_CAUGHT_UP_RANGES - 1)
  for i, text in ipairs(texts) do
    if messages >= MOST_CAUGHT_UP then break end
    taken[i] = text
    messages = messages + lib.parseRange(text).count
  end
  if #taken > 0 then
    call('LTRIM', list, #taken, -1)
    lib.count(group.state, 'later', -messages)
    lib.count(group.state, 'ready', -messages) -- counted there already
    lib.makeReady(group, taken, messages)
  end
  if #taken < #texts or #texts == MOST_CAUGHT_UP_RANGES then return true end
  lib.isAbreast(group)
  return false
end

function lib.catchUp(group, want)
  local state = lib.readFields(group.state, 'cursor', 'cursorEnd', 'ready', 'later')
  local function of(field) return tonumber(state[field] or 0) + lib.counting(group.state, field) end
  if of('ready') - of('later') >= want then return true end
  if tonumber(state.cursor or 0) < tonumber(state.cursorEnd or 0) then
    --@include lib/replay
    lib.replay(group, tonumber(state.cursor), tonumber(state.cursorEnd))
    return true
  end
  return lib.takeLater(group)
end
