-- What a guard's Lua sees, and how guards are called. A guard is a chunk that returns a table of functions; pcall keeps its errors away from
-- the bus. Needs: call, guard-errors.

local function pass() return nil end
local function reject(reason, retryMs) return { 'reject', tostring(reason), retryMs } end
local function duplicate(id) return { 'duplicate', tostring(id) } end
local function replace(id) return { 'replace', tostring(id) } end
local function defer(ms) return { 'defer', math.ceil(tonumber(ms) or 0) } end

local topicName = string.match(P, '{(.*)}')

-- JSON list of lists of names, by the guards' position -> full names
function lib.guardKeys(json)
  local keys = json == '' and {} or cjson.decode(json)
  for _, names in ipairs(keys) do
    for i, name in ipairs(names) do names[i] = P .. name end
  end
  return keys
end

-- n arguments from position `at`
function lib.argumentsAt(at, n)
  local args = {}
  for i = 1, n do args[i] = ARGV[at + i - 1] end
  return args
end

-- MessagePack of `[message, guard from 1, [argument, ...], ...]` -> list of { message = position from 0, guard, args }
function lib.readPublishCalls(packed)
  if packed == '' then return {} end
  local calls, flat = {}, cmsgpack.unpack(packed)
  for i = 1, #flat, 3 do calls[(i + 2) / 3] = { message = flat[i], guard = flat[i + 1], args = flat[i + 2], keys = false } end
  return calls
end

-- `<guard> <n>;...` with the arguments after it -> list of { guard = position from 1, args }, the position after them
function lib.readGuardCalls(at)
  local calls, descriptor = {}, ARGV[at]
  at = at + 1
  for guard, n in string.gmatch(descriptor, '(%d+) (%d+);') do
    n = tonumber(n)
    calls[#calls + 1] = { guard = guard + 1, args = lib.argumentsAt(at, n) }
    at = at + n
  end
  return calls, at
end
