-- What a script wants published on another topic, whose slot it may not touch, waits in a list per destination until a client relays it.
-- An entry is `<producer> <number> <packed batch>`; its first two words are its tag. Numbers rise by producer and destination, so the
-- destination takes each once. Needs: call, counts, author.

-- batch: { v = value, id = own id, due = moment, front = true, calls = guard calls }
function lib.putInOutbox(destination, batch)
  local number
  if author.session then
    number = call('HINCRBY', author.session, 'o:' .. destination, 1)
  else
    number = (author.numbers[destination] or 0) + 1
    author.numbers[destination] = number
  end
  call('RPUSH', P .. 'outbox:' .. destination, author.producer .. ' ' .. number .. ' ' .. cmsgpack.pack(batch))
  lib.count(P .. 'outbox', destination, 1)
  lib.count(P .. 'meta', 'outbox', 1)
  outboxGrew = true
end
