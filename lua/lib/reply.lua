-- Tells a requester that waits how its message ended: at once if its subscribed connection is there, else in `replies:<requester>`, where it looks when it
-- is back. Nobody waits after `untilMs`: then nothing is told, and the list goes by itself. Needs: call, time.

local MOST_MS = 1e13 -- no moment that PEXPIREAT would refuse

-- target: { requester, request, untilMs }. report: a JSON object. last: whether no group is left that could answer.
function lib.reply(target, report, last)
  local requester, waitMs = target.requester, (tonumber(target.untilMs) or 0) - now
  if not string.match(requester, '^[%w_-]+$') or type(target.request) ~= 'string' then return end
  if not (waitMs > 0 and waitMs < MOST_MS) then return end
  local reply = '{"request":' .. cjson.encode(target.request) .. ',"last":' .. tostring(last) .. ',' .. string.sub(report, 2)
  if call('PUBLISH', P .. 'reply:' .. requester, reply) > 0 then return end
  local replies = P .. 'replies:' .. requester
  call('RPUSH', replies, reply)
  if call('PTTL', replies) < waitMs then call('PEXPIRE', replies, math.ceil(waitMs)) end
end
