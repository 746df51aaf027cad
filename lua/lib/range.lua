-- Ranges: `<from>,<count>,<total>,<batch>`, messages of one batch. In sorted sets 14 digits precede them: the topic's sequence, so that
-- members of equal score keep the order in which they were added. A `~` before it says that its messages may have been run before: a session
-- that held them is gone, or they were dead. Then, only of messages that have any, their traits: `!<priority>,<bytes of the key>,<key>`, with a
-- place (`!<priority>@<place>,...`) of those that marks must not take for others of their name. Behind the priority a `&`: the keys of each
-- message of the batch, a line feed between each two; or a `*`: one key of them all. In a list its messages are unsorted (lib/keys), in a lease they have turns.
-- What precedes the numbers is the range's `lead`; it goes with every part of it. In a lease a `tail` follows: a line feed and the
-- milliseconds when it was leased.

--@include lib/has-traits

function lib.parseRange(text)
  if not lib.hasTraits(text) then
    local lead, from, count_, total, batch, tail = string.match(text, '^(~?)(%d+),(%d+),(%d+),([^\n]*)(.*)$')
    return { from = tonumber(from), count = tonumber(count_), total = tonumber(total), batch = batch, lead = lead, traits = '', tail = tail }
  end
  local again, priority, listed, place, length, at = string.match(text, '^(~?)!(-?%d+)([&*]?)@?(%d*),(%d+),()')
  local stop = at + length
  local lead, names = string.sub(text, 1, stop - 1), stop > at and string.sub(text, at, stop - 1) or nil
  local from, count_, total, batch, tail = string.match(text, '^(%d+),(%d+),(%d+),([^\n]*)(.*)$', stop)
  return {
    from = tonumber(from), count = tonumber(count_), total = tonumber(total), batch = batch, tail = tail,
    lead = lead, traits = again == '' and lead or string.sub(lead, 2),
    priority = tonumber(priority), place = tonumber(place), key = listed == '' and names or nil, listed = listed ~= '' and names or nil,
    keys = listed == '*' and { names } or nil,
  }
end

-- `lead` of a range that it is a part of.
function lib.rangeText(batch, total, from, count_, lead)
  return (lead or '') .. from .. ',' .. count_ .. ',' .. total .. ',' .. batch
end

-- A batch of one: a lone message, one with an own id, or one that was rehomed.
function lib.loneRange(batch, lead)
  return (lead or '') .. '0,1,1,' .. batch
end

-- A batch of one that was cut out of another: its name is its message's address. No other batch's has a dot, but own ids.
function lib.isRehomed(batch)
  return string.find(batch, '.', 1, true) and string.byte(batch) ~= 61
end

-- What a message is called where it is found by name: its batch if it is alone in it, or would be if it were rehomed.
function lib.nameOf(batch, total, index)
  return total == 1 and batch or batch .. '.' .. index
end

function lib.messageId(batch, total, index)
  if string.byte(batch) == 61 then return string.sub(batch, 2) end -- `=`, an own id
  if total == 1 and string.find(batch, '.', 1, true) then return batch end
  return batch .. '.' .. index
end

-- Sequence numbers for n members; answers the first.
function lib.nextSequence(n)
  return call('HINCRBY', P .. 'meta', 'seq', n) - n + 1
end

function lib.member(sequence, range)
  return string.format('%014.0f', sequence) .. range
end

-- The range of a member, and whether it is to go to the front (`^`, only in `scheduled`), or to join its line as one that was never out (`>`, only in `retry`).
function lib.memberRange(text)
  local flag = string.byte(text, 15)
  if flag == 94 or flag == 62 then return string.sub(text, 16), flag == 94, flag == 62 end
  return string.sub(text, 15), false, false
end
