-- Publishes outbox entries at their destination, in order.
--
-- KEYS  meta, never (of the destination)
-- ARGV  1.. entries, `<producer> <number> <packed batch>`
-- Returns { now, applied, guard errors, outbox has entries (0 or 1), the topic was deleted and must be declared first (0 or 1) }
-- Keeps  each entry is published once: a number at or below its producer's last is skipped. A higher one is always the next, since the head of
--       an outbox is the lowest that is not confirmed. Nobody refuses: a settle made these, and it stands.
-- Died or reply lost right after: the entries are read and relayed again, and skipped here.
-- Cost  6 commands and 3 per group, as a publish; and 2 per producer.

--@include lib/call
--@include lib/time
--@include lib/counts
--@include lib/range
--@include lib/groups
--@include lib/wake
--@include lib/author
--@include lib/finish
--@include lib/batches
--@include lib/enqueue
--@include lib/guard-errors
--@include lib/guards
--@include lib/admission

local REMEMBERED_S = 86400

if lib.noted('deleted') > 0 then return { now, 0, {}, 0, 1 } end

-- 1. Read and check.
local entries = {}
for i, text in ipairs(ARGV) do
  local producer, number, at = string.match(text, '^(%S+) (%d+) ()')
  local packed = producer and cmsgpack.unpack(string.sub(text, at))
  local total = packed and lib.batchCount(packed.v)
  if not total then return redis.error_reply('INVALID an outbox entry cannot be read') end
  entries[i] = { producer = producer, number = tonumber(number), packed = packed, total = total }
end

local positions = {}
for i, entry in ipairs(publishGuards) do positions[entry.name] = i end

-- Guards are named in an entry: this process may not have them all, or elsewhere.
local function guardCallsOf(packed)
  local calls = {}
  for _, c in ipairs(packed.calls or {}) do
    if positions[c.g] then
      local keys = {}
      for i, name in ipairs(c.k or {}) do keys[i] = P .. name end
      calls[#calls + 1] = { message = c.m, guard = positions[c.g], args = c.a, keys = keys }
    end
  end
  return calls
end

-- 2. Accept what is new.
local last, plan, applied = {}, lib.newPlan(), 0
for _, entry in ipairs(entries) do
  local producer, number, packed = entry.producer, entry.number, entry.packed
  last[producer] = last[producer] or tonumber(string.match(call('GET', P .. 'p:' .. producer) or '0', '^%d+'))
  if number > last[producer] then
    last[producer] = number
    applied = applied + 1
    local batch = {
      value = packed.v, total = entry.total, own = packed.id, due = packed.due, front = packed.front,
      id = packed.id and '=' .. packed.id or producer .. '-o' .. entry.number .. '-0',
    }
    author.producer, author.numbers = producer .. '-o' .. entry.number, {} -- of what this entry alone tells others
    plan = lib.admitBatch(plan, batch, guardCallsOf(packed), {})
  end
end

-- 3. Write; the numbers last.
lib.pushes = true
lib.enqueue(plan)
lib.writeCounts()
if lib.watchers then lib.watchers.tell() end
lib.wakeMarked()
for producer, number in pairs(last) do call('SET', P .. 'p:' .. producer, number, 'EX', REMEMBERED_S) end
return { now, applied, guardErrors, outboxGrew and 1 or 0, 0 }
