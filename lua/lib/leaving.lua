-- What group.leaving collects of a key: how many of its messages have ended, and ranges that come back, in order.
function lib.leavingOf(group, key)
  group.leaving = group.leaving or {}
  local leaving = group.leaving[key] or { ended = 0, returned = {} }
  group.leaving[key] = leaving
  return leaving
end
