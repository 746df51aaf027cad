-- What a fetch under a limit does about ordering keys. Needs: call, counts, range, fetch.

--@include lib/chain

-- Of each key one message was taken; the rest of its range stands in its line.
function lib.shelveRests(group, rests)
  for _, text in ipairs(rests) do
    local range = lib.parseRange(text)
    if range.priority ~= 0 then lib.count(group.state, 'prioritized', -range.count) end
    lib.shelve(group, text)
  end
end
