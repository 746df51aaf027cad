-- A page of a group's live sessions, in the order of their names.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit  3 the session after which to go on, or ''
-- Returns { now, session after which to go on or '', { session, info, end of its lease, closing (0 or 1), messages in flight, { ids of some that run } }, ... }
-- Keeps  nothing is changed. A session that lives throughout is told once.
-- Cost  3 commands, and 2 to 3 per session; what one session holds is read whole. Sessions that are being recovered are passed over, so a page may be empty
--       and yet have a successor.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/finish
--@include lib/session
--@include lib/leases-of

local MOST_LEASES, MOST_TOLD = 5000, 10

local group = lib.findGroup(ARGV[1])
if not group then return { now, '' } end
endingGroup = group
local limit, reply = tonumber(ARGV[2]), { now, '' }

-- The first messages in lease order of those that the client has room to run at once.
local function runningOf(leases)
  local ids = {}
  for _, lease in ipairs(leases) do
    local range, left = lease.range, lease.running
    local index = range.from
    while left > 0 and #ids < MOST_TOLD do
      if lib.unfinished(range, index, 1) == 1 then
        ids[#ids + 1] = lib.messageId(range.batch, range.total, index)
        left = left - 1
      end
      index = index + 1
    end
  end
  return ids
end

local names = call('ZRANGEBYLEX', group.G .. 'roster', ARGV[3] == '' and '-' or '(' .. ARGV[3], '+', 'LIMIT', 0, limit + 1)
local ends, read = #names > 0 and call('ZMSCORE', group.G .. 'sessions', unpack(names)) or {}, 0
for i, id in ipairs(names) do
  if i > limit or read >= MOST_LEASES then
    reply[2] = names[i - 1]
    break
  end
  if ends[i] and tonumber(ends[i]) > now then
    local session = lib.sessionOf(group, id)
    local told, leases, open = lib.readFields(session.key, 'info', 'concurrency', 'closing'), lib.leasesOf(session), 0
    lib.findRunning(leases, told.closing and math.huge or tonumber(told.concurrency or 1))
    for _, lease in ipairs(leases) do open = open + lease.open end
    read = read + #leases
    reply[#reply + 1] = { id, told.info or '', ends[i], told.closing and 1 or 0, open, runningOf(leases) }
  end
end
return reply
