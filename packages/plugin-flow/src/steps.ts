/** The steps on what is kept of a flow (store.ts says what), each a script, and the guard that makes a draft a flow. */

/** Parents that are told in one step. */
const PARENTS = 200

/** Whether all pieces of a draft are there: they expire, and a failover may have forgotten one. */
const WHOLE = `
  local function isWhole(draft) return tonumber(redis.call('HGET', draft, 'n') or -1) == redis.call('HLEN', draft) end`

const COMMON = `
  local flow = keys[1] .. ':' .. args[1]
  local function get(field) return redis.call('HGET', flow, field) end
  local function set(field, value) redis.call('HSET', flow, field, value) end
  -- An open flow of which nothing is heard is not kept for ever: a failover may have forgotten the message that it waits for.
  local function open(abandonMs)
    if get('state') ~= 'open' then return false end
    redis.call('PEXPIRE', flow, abandonMs)
    return true
  end
  local function publish(out, node, run)
    local values = { 'publish', node, run, get('d' .. node) or '', get('b' .. node) or '', get('h') or '' }
    for _, value in ipairs(values) do out[#out + 1] = value end
  end`

/** One hash field of each is read, and written once. */
export const START = `${COMMON}
  local out, from, leaves = {}, tonumber(args[2]), tonumber(get('leaves') or 0)
  local upTo = math.min(leaves, from + tonumber(args[3]))
  if not open(args[5]) then return out end
  if not get('h') then set('h', args[4]) end
  for node = from, upTo - 1 do
    local state = get('s' .. node)
    if not state then set('s' .. node, 'r') end
    if not state or state == 'r' then publish(out, node, 1) end
  end
  if upTo < leaves then out[#out + 1], out[#out + 2] = 'more', upTo end
  return out`

export const ENDED = `${COMMON}${WHOLE}
  local node, run, group, last, verdict = args[2], args[3], args[4], args[5] == '1', args[6]
  local json, from, draft, keepMs, abandonMs = args[7], tonumber(args[8]), args[9], tonumber(args[10]), args[11]
  local out = {}
  local meta = get('m' .. node)
  if not meta or (run ~= '0' and run ~= (get('q' .. node) or '1')) then return out end
  local wanted, edges = string.match(meta, '^([^|]*)|(.*)$')
  local failed, isGone = verdict ~= 'done', verdict == 'gone'
  local again = flow .. '/' .. node .. '~' .. run
  local isOpen = open(abandonMs)

  if run == '0' then
    if failed then set('e' .. node, json) end
  elseif from == 0 then
    local lines = {}
    for line in string.gmatch(get('r' .. node) or '', '[^\\n]+') do
      if string.match(line, '^[^\\t]*') ~= group then lines[#lines + 1] = line end
    end
    lines[#lines + 1] = group .. '\\t' .. verdict .. '\\t' .. json
    set('r' .. node, table.concat(lines, '\\n'))
    if draft ~= '' and redis.call('EXISTS', again) == 0 then
      if isWhole(keys[2] .. ':' .. draft) then
        redis.call('RENAME', keys[2] .. ':' .. draft, again)
        redis.call('PEXPIRE', again, abandonMs)
        redis.call('HSET', again, 'up', args[1] .. ' ' .. node .. ' ' .. run, 'h', get('h') or '')
      else
        set('l' .. node, run)
      end
    end
    if wanted ~= '' and group ~= wanted or wanted == '' and not last then return out end
  end
  if run ~= '0' and wanted == '' then
    for ended in string.gmatch(get('r' .. node) or '', '[^\\n\\t]*\\t(%a+)\\t[^\\n]*') do
      failed, isGone = failed or ended ~= 'done', isGone or ended == 'gone'
    end
  end

  -- What its handler added is to be waited for; if that is gone, it runs again at once, and may add it once more.
  local isLost = get('l' .. node) == run
  if not failed and run ~= '0' and (isLost or redis.call('EXISTS', again) == 1) then
    if isOpen then
      set('s' .. node, 'w')
      if isLost then
        out[1], out[2], out[3] = 'up', args[1] .. ' ' .. node .. ' ' .. run, 1
      else
        out[1], out[2] = 'start', args[1] .. '/' .. node .. '~' .. run
      end
    end
    return out
  end

  if failed then redis.call('PEXPIRE', again, keepMs) end

  -- A parent is told once of each: how many have been is noted.
  local cause = node .. (failed and 'f' or 'o')
  local told = tonumber(get((failed and 'f' or 'o') .. node) or 0)
  local failedBefore = not failed and get('f' .. node)
  local isNeeded = function(parent)
    local above = string.match(get('m' .. parent) or '', '|(.*)$') or ''
    if above == '' then return true end
    local seen = 0
    for p in string.gmatch(above, '(%d+):%a') do
      seen = seen + 1
      if seen > 100 or not get('s' .. p) then return true end
    end
    return false
  end
  local waits, at = false, 0
  for parent, policy in string.gmatch(edges, '(%d+):(%a)') do
    if policy == 'w' and failed and not isGone then waits = true end
    if at >= from and at < from + ${PARENTS} then
      if at >= told and isOpen then
        local fails = failed and (policy == 'f' or (policy == 'w' and isGone))
        local counts = (failed and policy == 'c') or (not failed and (not failedBefore or policy == 'w'))
        if fails and not get('s' .. parent) then
          set('s' .. parent, 'f')
          set('c' .. parent, cause)
          set('e' .. parent, cjson.encode({ name = 'FlowError', message = 'What it waits for has failed: ' .. args[1] .. '/' .. node }))
        elseif counts then
          local left = redis.call('HINCRBY', flow, 'w' .. parent, -1)
          if left == 0 and not get('s' .. parent) then
            if isNeeded(parent) then
              set('s' .. parent, 'r')
              set('c' .. parent, cause)
            else
              set('s' .. parent, 'x')
            end
          end
        end
      end
      if get('c' .. parent) == cause then
        if get('e' .. parent) then out[#out + 1], out[#out + 2] = 'failed', tonumber(parent) else publish(out, tonumber(parent), 1) end
      end
    end
    at = at + 1
  end
  set((failed and 'f' or 'o') .. node, math.max(told, math.min(at, from + ${PARENTS})))
  set('s' .. node, not failed and 'd' or waits and 'q' or 'f')
  if from + ${PARENTS} < at then out[#out + 1], out[#out + 2] = 'more', from + ${PARENTS} end

  if at == 0 then
    if get('state') ~= 'cancelled' then set('state', failed and 'failed' or 'done') end
    local up = get('up')
    -- Children that a handler added are kept as long as what they were added to.
    if up then
      out[#out + 1], out[#out + 2], out[#out + 3] = 'up', up, failed and 0 or 1
      redis.call('PEXPIRE', flow, math.max(keepMs, 30 * 86400000))
    else
      redis.call('PEXPIRE', flow, keepMs)
    end
  end
  return out`

/** Its handler runs again, now that what it added has ended. */
export const RESUMED = `${COMMON}
  local out, node, run = {}, args[2], tonumber(args[3])
  if not open(args[4]) then return out end
  local now = tonumber(get('q' .. node) or 1)
  if now == run and get('s' .. node) == 'w' then
    set('q' .. node, run + 1)
    set('s' .. node, 'r')
    now = run + 1
  end
  if now == run + 1 then publish(out, tonumber(node), now) end
  return out`

export const CANCEL = `${COMMON}
  if get('state') ~= 'open' then return 0 end
  set('state', 'cancelled')
  redis.call('PEXPIRE', flow, tonumber(args[2]))
  return 1`

/** At publish: a draft becomes a flow together with the message that starts it, or is not there. */
export const COMMIT = `${WHOLE}
  return {
    check = function(m, args)
      if redis.call('EXISTS', m.keys[1] .. ':' .. args[1]) == 1 then return duplicate(args[1]) end
      if not isWhole(m.keys[2] .. ':' .. args[2]) then
        return reject('its parts are not there any more: they are kept for an hour, and a failover may forget some. Publish it again')
      end
      return pass()
    end,
    apply = function(m, args)
      redis.call('RENAME', m.keys[2] .. ':' .. args[2], m.keys[1] .. ':' .. args[1])
      redis.call('PEXPIRE', m.keys[1] .. ':' .. args[1], args[3])
    end,
  }`
