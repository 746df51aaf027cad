-- Needs: nothing but Lua.

-- What is left to lease of what was taken, where items say which messages have `gone`: the number of messages to run in it, and what is not to
-- be run: `[position, "<index>,...", ...]`.
function lib.withoutGone(taken)
  local kept, messages, skips = {}, 0, {}
  for _, item in ipairs(taken) do
    local range, gone = item.range, {}
    for index in pairs(item.gone or {}) do gone[#gone + 1] = index - range.from end
    if #gone < range.count then
      kept[#kept + 1] = item
      messages = messages + range.count - #gone
      if #gone > 0 then
        table.sort(gone)
        skips[#skips + 1], skips[#skips + 2] = #kept - 1, table.concat(gone, ',')
      end
    end
  end
  return kept, messages, skips
end
