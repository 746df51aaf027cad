-- What is told of a range (lib/range) without parsing it. Needs: nothing but Lua.

-- Whether its messages have traits.
function lib.hasTraits(text)
  local first, second = string.byte(text, 1, 2)
  return first == 33 or first == 126 and second == 33 -- `!`, `~!`
end

-- Of a range with traits: whether they have a priority other than 0. Written without leading zeros, so it is told by two bytes.
function lib.hasPriority(text)
  local at = string.byte(text) == 126 and 3 or 2
  local first, second = string.byte(text, at, at + 1)
  return first ~= 48 or second ~= 44 and second ~= 64 and second ~= 38 and second ~= 42 -- `0,`, `0@`, `0&`, `0*`
end
