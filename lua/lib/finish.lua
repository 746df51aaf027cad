-- The one way to finish: ack, purged, replaced, group removed. It lowers `pending`, records `done` while the batch lives, deletes the batch at
-- 0 and honours what follows the message. A script collects what it finishes and writes it at once (`writeFinished`), so that a hundred
-- batches cost as many commands as one.
-- Needs: call, counts, range, groups, time.

--@include lib/leaving
--@include lib/pending

local ending = {} -- batch -> what this script knows of it
local endingOrder = {}
local endingGroup -- the group that finishes; nil of what is put off and was given to none

-- Learns of batches, with what this group finished of them before. Lone messages have no such record: their range is the record.
function lib.learn(ranges)
  local asked, entries = {}, {}
  for _, range in ipairs(ranges) do
    if not ending[range.batch] then
      local entry = { batch = range.batch, total = range.total, n = 0 }
      ending[range.batch] = entry
      if range.total > 1 and endingGroup then
        asked[#asked + 1] = range.batch
        entries[#entries + 1] = entry
      end
    end
  end
  if #asked == 0 then return end
  local marks = lib.readWith('HMGET', endingGroup.G .. 'done', asked)
  for i, entry in ipairs(entries) do entry.marks = marks[i] or nil end
end

function lib.unfinished(range, from, n)
  local entry = ending[range.batch]
  if entry.total == 1 then return entry.n == 0 and 1 or 0 end
  if entry.whole then return 0 end
  if not entry.marks then return n end
  local _, open = string.gsub(string.sub(entry.marks, from + 1, from + n), '0', '')
  return open
end

function lib.mark(entry, from, n)
  if not entry.isNoted then
    endingOrder[#endingOrder + 1] = entry.batch
    entry.isNoted = true
  end
  if entry.total == 1 then return end
  if not entry.marks and n == entry.total then
    entry.whole = true
  else
    local marks = entry.marks or string.rep('0', entry.total)
    entry.marks = string.sub(marks, 1, from) .. string.rep('1', n) .. string.sub(marks, from + n + 1)
  end
end

-- Finishes what of these messages is not finished; answers how many. The batch must have been learnt.
function lib.finish(range, from, n, outcome, detail)
  local open = lib.unfinished(range, from, n)
  if open == 0 then return 0 end
  local entry = ending[range.batch]
  if lib.watchers and outcome then lib.watchers.ended(endingGroup, range, from, n, entry.marks, outcome, detail) end
  if endingGroup and range.key then
    local leaving = lib.leavingOf(endingGroup, range.key)
    leaving.ended = leaving.ended + open
  elseif endingGroup and range.listed then
    --@include lib/end-turns
    lib.endTurns(range, from, n, open)
  end
  lib.mark(entry, from, n)
  entry.n = entry.n + open
  entry.outcome, entry.detail = outcome, detail
  return open
end

function lib.marksOf(entry)
  if entry.total == 1 then return '1' end
  return entry.whole and string.rep('1', entry.total) or entry.marks
end

-- Whether some group may hold marks of a batch that goes: not if the topic has but this group, it finished the batch in one piece, and none replayed it.
function lib.forgetMarks(gone)
  local groups = lib.allGroups()
  local alone = #groups == 1 and groups[1] == endingGroup and lib.noted('logs') == 0
  local marked = {}
  for _, entry in ipairs(gone) do
    if not alone or entry.marks then marked[#marked + 1] = entry.batch end
  end
  for _, group in ipairs(groups) do lib.callWith('HDEL', group.G .. 'done', marked) end
  for _, group in ipairs(lib.leavingGroups or {}) do lib.callWith('HDEL', group.G .. 'done', marked) end
  if #groups == 0 then lib.callWith('HDEL', P .. 'unclaimed:done', marked) end
end

-- Lone messages whose end someone waits for.
function lib.honourFollowers(lone)
  local batches = {}
  for i, entry in ipairs(lone) do batches[i] = entry.batch end
  local follows = lib.readWith('HMGET', P .. 'follows', batches)
  local over = {}
  for i, entry in ipairs(lone) do
    if follows[i] then
      --@include lib/effects
      if entry.left <= 0 then over[#over + 1] = entry.batch end
      entry.outcome = not lib.replays(endingGroup, entry.generation) and entry.outcome or nil
      lib.honour(entry.batch, follows[i], entry.left, endingGroup, entry.outcome, entry.detail)
    end
  end
  lib.callWith('HDEL', P .. 'follows', over)
end

function lib.writeFinished()
  if #endingOrder == 0 then
    ending = {} -- what follows may change what was learnt: a promotion brings more of a batch
    return
  end
  local pending = lib.readWith('HMGET', P .. 'pending', endingOrder)
  local gone, goneBatches, goneValues, goneLone = {}, {}, {}, {}
  local alive, marks, lone = {}, {}, {}
  for i, batch in ipairs(endingOrder) do
    local entry = ending[batch]
    local left, generation = lib.pairsOf(pending[i])
    entry.left, entry.generation = left - entry.n, generation
    if entry.left > 0 then
      alive[#alive + 1], alive[#alive + 2] = batch, lib.pendingValue(entry.left, generation)
      marks[#marks + 1], marks[#marks + 2] = batch, lib.marksOf(entry)
    else
      gone[#gone + 1], goneBatches[#goneBatches + 1] = entry, batch
      if entry.total == 1 then goneLone[#goneLone + 1] = batch else goneValues[#goneValues + 1] = P .. 'b:' .. batch end
    end
    if entry.total == 1 then lone[#lone + 1] = entry end
  end
  lib.callWith('HSET', P .. 'pending', alive)
  if endingGroup then lib.callWith('HSET', endingGroup.G .. 'done', marks) end
  lib.callWith('HDEL', P .. 'pending', goneBatches)
  lib.callWith('HDEL', P .. 'batches', goneLone)
  lib.callAll('DEL', goneValues)
  if #gone > 0 then lib.forgetMarks(gone) end
  if #lone > 0 then
    lib.honourFollowers(lone)
    if endingGroup then
      local batches = {}
      for i, entry in ipairs(lone) do batches[i] = entry.batch end
      if lib.watchers then lib.watchers.learnAttempts(endingGroup, batches) end
      lib.callWith('HDEL', endingGroup.G .. 'failures', batches)
    end
  end
  ending, endingOrder = {}, {}
end
