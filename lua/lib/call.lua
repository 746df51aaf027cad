-- What every script begins with: where the topic's keys are, and calls with as many arguments as a list has.
-- A topic's keys begin with P; KEYS[1] is its `meta`.
-- A file of lib includes the functions that it calls; what holds state while a script runs (time, counts, groups, author, finish, guard-errors) is
-- included by the script itself, first, so that there is one of each. Those are the files that a header `Needs`.

-- The shared functions are fields of one table: a function that captures many locals is slow to make, and all are made anew at every call.
local lib = {}
local call = redis.call
local P = string.sub(KEYS[1], 1, -5)

-- Lua unpacks only so many values, and Redis should not be handed a list without end.
local CHUNK = 1000

-- command(key, item, item, ...)
function lib.callWith(command, key, items)
  local n = #items
  if n == 0 then return end
  for first = 1, n, CHUNK do
    call(command, key, unpack(items, first, math.min(first + CHUNK - 1, n)))
  end
end

-- command(item, item, ...), for commands without a key of their own: MSET, DEL.
function lib.callAll(command, items)
  for first = 1, #items, CHUNK do
    call(command, unpack(items, first, math.min(first + CHUNK - 1, #items)))
  end
end

-- One value per item, `false` for none.
function lib.readWith(command, key, items)
  local n = #items
  if n == 0 then return items end
  if n <= CHUNK then return call(command, key, unpack(items)) end
  local values = {}
  for first = 1, n, CHUNK do
    local last = math.min(first + CHUNK - 1, n)
    local part = call(command, key, unpack(items, first, last))
    for i = 1, last - first + 1 do values[first + i - 1] = part[i] end
  end
  return values
end

-- Fields of a hash as a table; a field that is not there is `false`.
function lib.fieldsOf(values, names)
  local fields = {}
  for i, name in ipairs(names) do fields[name] = values[i] end
  return fields
end

function lib.readFields(key, ...)
  return lib.fieldsOf(call('HMGET', key, ...), { ... })
end
