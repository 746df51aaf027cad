-- Needs: range, finish.

--@include lib/listed

-- What ends, of messages with keys of their own.
function lib.endTurns(range, from, n, open)
  local keys = lib.keysOf(range)
  for index = from, from + n - 1 do
    if open == n or lib.unfinished(range, index, 1) == 1 then
      local leaving = lib.leavingOf(endingGroup, keys[index + 1])
      leaving.ended = leaving.ended + 1
    end
  end
end
