-- Gives dead letters another life: to the head of `ready`, or of their priority, with their attempts forgotten.
--
-- KEYS  meta, never
-- ARGV  1 group  2 limit  3 until (time of death in ms) or ''  4 whether batch ids follow (0 or 1)  5.. batch ids
-- Returns { redriven, more (0 or 1) }
-- Keeps  a message is dead or ready, never both; what died first is ahead, in one call and over several.
-- Died or reply lost right after: sent again, it finds them gone from the dead letters.
-- Cost  10 commands; 1 more per message that is named.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/ready
--@include lib/watching

local group = lib.findGroup(ARGV[1])
if not group then return { 0, 0 } end
local dead, limit, named = group.G .. 'dead', tonumber(ARGV[2]), ARGV[4] == '1'

local ids, more = {}, false
if named then
  for i = 5, math.min(#ARGV, 4 + limit) do
    if call('ZREM', dead, ARGV[i]) == 1 then ids[#ids + 1] = ARGV[i] end
  end
  more = #ARGV > 4 + limit
else
  -- The last to die first: the next call puts those that died before ahead of them.
  local youngest = call('ZREVRANGEBYSCORE', dead, ARGV[3] == '' and '+inf' or '(' .. ARGV[3] + 1, '-inf', 'LIMIT', 0, limit + 1)
  more = #youngest > limit
  for i = math.min(#youngest, limit), 1, -1 do ids[#ids + 1] = youngest[i] end
  lib.callWith('ZREM', dead, ids)
end

-- Of what was rehomed, `failures` says that the group has it.
local published, rehomed = {}, {}
for _, id in ipairs(ids) do
  if lib.isRehomed(id) then rehomed[#rehomed + 1], rehomed[#rehomed + 2] = id, '0 0 . null' else published[#published + 1] = id end
end
lib.callWith('HDEL', group.G .. 'failures', published)
lib.callWith('HSET', group.G .. 'failures', rehomed)
local ranges = {}
local traits = lib.readWith('HMGET', dead .. ':traits', ids)
for i, id in ipairs(ids) do ranges[i] = lib.loneRange(id, '~' .. (traits[i] or '')) end
lib.callWith('HDEL', dead .. ':traits', ids)
lib.count(group.state, 'dead', -#ids)
lib.makeReady(group, ranges, #ids, true)
if lib.watchers then
  for _, id in ipairs(ids) do lib.watchers.noteLone('redriven', group, id, '') end
  lib.watchers.tell()
end
lib.writeCounts()
lib.wakeMarked()
return { #ids, more and 1 or 0 }
