-- A page of messages that wait, in the order in which they would be taken, or that are in flight.
--
-- KEYS  meta, never
-- ARGV  1 group, or '' for what no group has yet  2 state (`ready` `held` `inFlight` `retrying`; without a group `scheduled` `unclaimed`)
--       3 limit  4 bytes  5 where the last page ended, or '': a kind of place, and then 6.. the place, as that kind has it (lib/page-*)
-- Returns { now, where to go on ({} at the end), { range, value, positions not shown (`0,2`), failure, when, session, ... }, { session, info, ... } }
--       when: due, or leased. failure: `<attempts> <crashes>`, of retries the whole record
-- Keeps  nothing is changed. A message that stays where it is throughout is shown once, whatever happens to those beside it; unless more than
--       5,000 ranges are put before it between two pages, or, of keys, most lines end meanwhile: then it may be shown again.
-- Cost  bounded by limit and bytes: 3 commands per 8 ranges. Finding the place again: 2 commands, in a sorted set the logarithm of its size. A page may
--       be empty and yet have a successor: what was looked at was finished, or the place is not found yet.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/finish
--@include lib/session
--@include lib/page
--@include lib/page-list
--@include lib/page-set
--@include lib/page-lines
--@include lib/page-leases

local ORDER = {
  ready = { 'suspects', 'above', 'list', 'below', 'later' },
  held = { 'lines' },
  inFlight = { 'leases' },
  retrying = { 'retry' },
  scheduled = { 'scheduled' },
  unclaimed = { 'above', 'list', 'below', 'lines', 'later' },
}

local group = ARGV[1] ~= '' and lib.findGroup(ARGV[1]) or nil
if ARGV[1] ~= '' and not group then return { now, {}, {}, {} } end
local page = lib.newPage(group, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[2] == 'retrying')

-- What no group has yet waits as it will wait in its heir.
local store, list = group, group and group.G .. 'ready' or P .. 'unclaimed'
if not group then
  local heir = tonumber(call('HGET', P .. 'meta', 'generation') or 0) + 1
  store = { G = P .. 'unclaimed:', line = P .. '@' .. heir .. ':key:' }
end
endingGroup = store -- whose `done` says what is finished
local marks = lib.readFields(group and group.state or P .. 'meta', group and 'marks' or 'unclaimedMarks')
store.marks = tonumber(marks.marks or marks.unclaimedMarks or 0)
local IN_LISTS = { suspects = true, above = true, list = true, below = true, lines = true, later = true }
local function urgent() return call('ZCOUNT', store.G .. 'priority', '-inf', '(0') end

local KINDS = {
  suspects = function(place) return lib.pageList(page, group.G .. 'suspects', place) end,
  above = function(place) return lib.pageSet(page, store.G .. 'priority', place, 0, urgent()) end,
  list = function(place) return lib.pageList(page, list, place) end,
  below = function(place) return lib.pageSet(page, store.G .. 'priority', place, urgent(), math.huge) end,
  lines = function(place) return lib.pageLines(page, store, place) end,
  later = function(place) return lib.pageList(page, store.G .. 'later', place) end,
  leases = function(place) return lib.pageLeases(page, group, place) end,
  retry = function(place) return lib.pageSet(page, group.G .. 'retry', place, 0, math.huge) end,
  scheduled = function(place) return lib.pageSet(page, P .. 'scheduled', place, 0, math.huge) end,
}

local from, place = ARGV[5], nil
if from ~= '' then
  place = {}
  for i = 6, #ARGV do place[#place + 1] = ARGV[i] end
end
local on = {}
for _, kind in ipairs(ORDER[ARGV[2]]) do
  if from == '' or from == kind then
    from = ''
    page.heeding = IN_LISTS[kind] and store or nil
    local rest = KINDS[kind](place)
    place = nil
    if page.full then
      on = { kind, unpack(rest) }
      break
    end
  end
end
return { now, on, page.items, group and lib.infosOf(page, group) or {} }
