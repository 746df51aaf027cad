-- Ranges: `<from>,<count>,<total>,<batch>`, messages of one batch. In sorted sets 14 digits precede them: the topic's sequence, so that
-- members of equal score keep the order in which they were added. A `~` before it says that its messages may have been run before: a session
-- that held them is gone, or they were dead.

function lib.parseRange(text)
  local again, from, count_, total, batch = string.match(text, '^(~?)(%d+),(%d+),(%d+),(.*)$')
  return { from = tonumber(from), count = tonumber(count_), total = tonumber(total), batch = batch, again = again }
end

-- `again` of a range that it is a part of; '~' where it begins.
function lib.rangeText(batch, total, from, count_, again)
  return (again or '') .. from .. ',' .. count_ .. ',' .. total .. ',' .. batch
end

-- A batch of one: a lone message, one with an own id, or one that was rehomed.
function lib.loneRange(batch, again)
  return (again or '') .. '0,1,1,' .. batch
end

function lib.messageId(batch, total, index)
  if string.byte(batch) == 61 then return string.sub(batch, 2) end -- `=`, an own id
  if total == 1 and string.find(batch, '.', 1, true) then return batch end -- rehomed: its name is its address
  return batch .. '.' .. index
end

-- Sequence numbers for n members; answers the first.
function lib.nextSequence(n)
  return call('HINCRBY', P .. 'meta', 'seq', n) - n + 1
end

function lib.member(sequence, range)
  return string.format('%014.0f', sequence) .. range
end

function lib.memberRange(text)
  return string.sub(text, 15)
end
