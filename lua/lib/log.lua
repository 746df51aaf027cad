-- What a topic with the setting `retain` keeps of what became available to groups: the sorted set `log`, `<ms when>;<range>` by the number of messages that
-- were logged before. Included where something is appended. Needs: call, time, counts, range, groups.
-- The log counts in `pending` like a group that has each of its messages to finish, and finishes them when they are trimmed: so all else need not know of it.

--@include lib/log-trim

-- Those that somebody is to be told of: whether every group has ended one is asked, and the log is no group.
local function noteFollowed(lone)
  local follows = lib.readWith('HMGET', P .. 'follows', lone)
  for i, batch in ipairs(lone) do
    if follows[i] then call('HINCRBY', P .. 'log:followed', batch, 1) end
  end
end

-- Ranges in their order; `lists` of texts. They are counted in `pending` already.
function lib.appendToLog(lists, messages)
  if messages == 0 then return end
  if lib.noted('logs') == 0 then call('HSET', P .. 'groups', '::logs', 1) end
  local items, lone, appended = {}, {}, 0
  local at = call('HINCRBY', P .. 'meta', 'logEnd', messages) - messages
  for _, texts in ipairs(lists) do
    for _, text in ipairs(texts) do
      local range = lib.parseRange(text)
      items[#items + 1], items[#items + 2] = at, now .. ';' .. text
      at, appended = at + range.count, appended + 1
      if range.total == 1 then lone[#lone + 1] = range.batch end
    end
  end
  lib.callWith('ZADD', P .. 'log', items)
  noteFollowed(lone)
  lib.trimLog(appended)
end
