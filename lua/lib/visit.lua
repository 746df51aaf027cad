-- Goes through the groups that may have a message, from the oldest to the youngest, a bounded number at a call, and says of each where it is.
-- Needs: all of locate and seek, counts, time.

local MOST_GROUPS = 50

-- A message that is neither leased in what was seen of the leases nor known to wait is watched: whoever takes it from where it waits ends the watch.
function lib.watchFor(group, name)
  if call('HSET', group.G .. 'watched', name, now) == 1 then lib.count(group.state, 'watching', 1) end
end

-- Answers whether it was still watched.
function lib.endWatch(group, name)
  local watched = call('HDEL', group.G .. 'watched', name) == 1
  if watched then lib.count(group.state, 'watching', -1) end
  return watched
end

-- What `held` is: `waiting`, or `leased` with its lease or, if it was taken while it was looked for, without. Or nil and where to go on.
-- `from`: nil at the first call for this group.
function lib.resolveHeld(group, place, name, from, budget, watches)
  local lease, rest = lib.seekLease(group, place.range, from or '', budget)
  if rest and not lease then
    if watches and not from then lib.watchFor(group, name) end
    return nil, rest
  end
  local undisturbed = not from or not watches or lib.endWatch(group, name)
  place.lease = lease
  place.at = (lease or not undisturbed) and 'leased' or 'waiting'
  return place
end

-- What one group ended may have been the last of a batch, and with that goes what the other groups knew of it. Answers whether there is none left.
function lib.isOver(message)
  for _, kept in ipairs({ 'lone', 'several' }) do
    local batch = kept == 'lone' and message.lone or kept == 'several' and message.several and message.several.batch
    if batch and call('HEXISTS', P .. 'pending', batch) == 0 then message[kept] = nil end
  end
  return not message.lone and not message.several
end

-- Calls `act(group, place)` for each group, place as `placeIn` says it, `held` resolved; it answers whether it ended the message there. cursor: '' or what the
-- call before answered. Answers '' when all have been visited. `watches`: what a call begins another is to end, so nobody may take it unnoticed.
function lib.visit(message, cursor, budget, watches, act)
  local generation, from = string.match(cursor, '^(%d+) (.*)$')
  generation = tonumber(generation or 0)
  local groups = 0
  for _, group in ipairs(lib.groupsByAge()) do
    local own = lib.generationOf(group)
    if own >= generation then
      local resumed = own == generation and from ~= '' and from or nil
      groups = groups + 1
      if groups > MOST_GROUPS then return own .. ' ' end
      local place = lib.placeIn(group, message)
      if place.at == 'held' then
        local resolved, rest = lib.resolveHeld(group, place, message.name, resumed, budget, watches)
        if not resolved then return own .. ' ' .. rest end
      elseif resumed and watches then
        lib.endWatch(group, message.name)
      end
      if act(group, place) and lib.isOver(message) then return '' end
    end
  end
  return ''
end
