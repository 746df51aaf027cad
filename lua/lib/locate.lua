-- Where a message is, by its id. Nothing here walks a list: what can be asked by name says it, and what nothing else has waits in a list.
-- Needs: call, range, groups.

--@include lib/envelope
--@include lib/pending

-- The names under which a message of this id may be kept: an id of its publisher's own, or an address.
function lib.namesOf(id)
  local batch, index = string.match(id, '^([^=].*)%.(%d+)$')
  if not batch or string.format('%d', index) ~= index then return { '=' .. id } end
  return { '=' .. id, id, index == '0' and batch or nil }, batch, tonumber(index)
end

-- The message of an id, or nil: { id, name, lone = its batch, if it is stored alone, several = { batch, total, index }, if it is (also) in a batch of
-- several, generation, of each: of the last group that was given it }
function lib.findMessage(id)
  local names, batch, index = lib.namesOf(id)
  local message = { id = id, name = id }
  for _, name in ipairs(names) do
    if call('HEXISTS', P .. 'batches', name) == 1 then
      message.name, message.lone = name, name
      break
    end
  end
  if batch and (not message.lone or message.lone == id) then
    local key = P .. 'b:' .. batch
    local head = call('GETRANGE', key, 0, 11)
    local total = #head == 12 and lib.u16(head, 3) or 0
    local ends = index < total and 12 + lib.u16(head, 11) + 4 * index
    local window = ends and call('GETRANGE', key, ends, ends + 7) or ''
    -- What was not accepted of its batch has no bytes there.
    if #window == 8 and lib.u32(window, 1) ~= lib.u32(window, 5) then
      local _, generation = lib.pairsOf(call('HGET', P .. 'pending', batch))
      message.several = { batch = batch, total = total, index = index, generation = generation }
    end
  end
  if message.lone then
    local _, generation = lib.pairsOf(call('HGET', P .. 'pending', message.lone))
    message.generation = generation
  end
  return (message.lone or message.several) and message or nil
end

-- The envelope of the message alone; nil if Redis has lost it.
function lib.envelopeOf(message)
  if message.lone then return call('HGET', P .. 'batches', message.lone) or nil end
  --@include lib/slice
  return lib.slice(message.several.batch, message.several.total, message.several.index, 1)
end

-- Where a group has a message, `at`: `never`, it was not given it; `done`, it has ended it; `dead`; `retrying`; `held`, it waits or is leased. `range`: where it
-- is not done, what it is there.
function lib.placeIn(group, message)
  local several, lone, had = message.several, message.lone, false
  if several then
    local done = call('HGET', group.G .. 'done', several.batch)
    had = lib.generationOf(group) <= several.generation
    if had and not done or done and string.byte(done, several.index + 1) == 48 then
      return { at = 'held', range = { from = several.index, count = 1, total = several.total, batch = several.batch } }
    end
    had = had or done and call('HEXISTS', group.state, 'cursorEnd') == 1 -- what it replayed
  end
  local range = lone and { from = 0, count = 1, total = 1, batch = lone }
  had = had or lone and lib.generationOf(group) <= message.generation
  if not lone then return { at = had and 'done' or 'never' } end
  if lib.isRehomed(lone) then
    if call('HEXISTS', group.G .. 'failures', lone) == 0 then return { at = had and 'done' or 'never' } end
  else
    local done = call('HGET', group.G .. 'done', lone)
    if done == '1' then return { at = 'done' } end
    if not had and not done then return { at = 'never' } end -- `0`: it replays it
  end
  local diedAt = call('ZSCORE', group.G .. 'dead', lone)
  if diedAt then return { at = 'dead', range = range, diedAt = diedAt } end
  local member = call('HGET', group.G .. 'retrying', lone)
  if member then return { at = 'retrying', range = range, member = member } end
  return { at = 'held', range = range }
end

-- All groups in the order in which they were made.
function lib.groupsByAge()
  local groups = {}
  for i, group in ipairs(lib.allGroups()) do groups[i] = group end
  table.sort(groups, function(a, b) return lib.generationOf(a) < lib.generationOf(b) end)
  return groups
end

-- Whether no group has it yet: then the member of `scheduled`, or that it is unclaimed.
function lib.scheduledAs(message)
  return call('HGET', P .. 'deferred', message.name) or nil
end

function lib.isUnclaimed(message)
  if #lib.allGroups() > 0 then return false end
  local several = message.several
  if several then
    local done = call('HGET', P .. 'unclaimed:done', several.batch)
    if not done or string.byte(done, several.index + 1) == 48 then return several.generation > lib.noted('generation') end
  end
  if not message.lone or message.generation <= lib.noted('generation') then return false end
  return not call('HGET', P .. 'unclaimed:done', message.lone) -- what has ended may be retained
end
