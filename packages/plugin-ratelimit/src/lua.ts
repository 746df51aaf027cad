/**
 * The Lua: GCRA (the generic cell rate algorithm, ITU-T I.371) on Redis' clock. A key holds the theoretical arrival time (`tat`) of the next message that
 * would be exactly on time. A message may come up to `burst` - 1 intervals before its own, and moves it by one.
 * The key expires when it is in the past: then nothing is owed, and nothing need be remembered.
 */
import type { FetchGuard, PluginScript, PublishGuard, SettleGuard } from '@busway/bus'

/** `owed(key, now)`, and `write(key, tat, now)`. */
const TAT = `
  local function owed(key, now)
    return math.max(tonumber(redis.call('GET', key) or 0), now)
  end
  local function write(key, tat, now)
    if tat > now then redis.call('SET', key, string.format('%.6f', tat), 'PX', math.ceil(tat - now)) end
  end
  local ROUNDING = 1e-6`

export const groupKeys = (_topic: string, group: string): string[] => [`${group}:rate`]

/** How many of `want` are not early, and else when one more would be: of a key, its interval and burst. */
const ALLOWED = `
  local function allowed(key, now, every, burst, want)
    local ahead = owed(key, now) - now
    local n = math.max(0, math.floor((burst * every - ahead) / every + ROUNDING))
    if n >= want then return want end
    return n, ahead + (n + 1 - burst) * every
  end`

/** So many of a group. args: interval in ms, burst. Cost: a read, and a read and a write where something is taken, a fetch. */
export const groupGuard: Omit<FetchGuard, 'args'> = {
  at: 'fetch',
  name: 'group',
  keys: groupKeys,
  lua: `${TAT}${ALLOWED}
    return {
      check = function(f, args) return allowed(f.keys[1], f.now, tonumber(args[1]), tonumber(args[2]), f.want) end,
      apply = function(f, args, taken)
        if taken > 0 then write(f.keys[1], owed(f.keys[1], f.now) + taken * tonumber(args[1]), f.now) end
      end,
    }`,
}

/** So many of each ordering key of a group; of others what there is. args: interval in ms, burst. Cost: the same, for each key that a fetch meets. */
export const keyGuard: Omit<FetchGuard, 'args'> = {
  at: 'fetch',
  name: 'key',
  keys: (_topic, group) => [keyPrefix(group)],
  lua: `${TAT}${ALLOWED}
    return {
      checkKey = function(f, args, key, want)
        return allowed(f.keys[1] .. key, f.now, tonumber(args[1]), tonumber(args[2]), want)
      end,
      applyKey = function(f, args, key, taken)
        if taken > 0 then write(f.keys[1] .. key, owed(f.keys[1] .. key, f.now) + taken * tonumber(args[1]), f.now) end
      end,
    }`,
}

/** Nothing of a group, or of an ordering key, for a while. args: pause in ms, interval, burst, '' or the ordering key. */
export const pauseGuard: Omit<SettleGuard, 'args'> = {
  at: 'settle',
  name: 'pause',
  keys: (topic, group) => [...groupKeys(topic, group), keyPrefix(group)],
  lua: `${TAT}
    return {
      apply = function(s, args)
        local key = args[4] == '' and s.keys[1] or s.keys[2] .. args[4]
        local until_ = s.now + tonumber(args[1]) + (tonumber(args[3]) - 1) * tonumber(args[2])
        write(key, math.max(owed(key, s.now), until_), s.now)
      end,
    }`,
}

export const keyPrefix = (group: string): string => `${group}:key:`

/**
 * So many of a publisher's key: takes `n`, or answers in how many milliseconds there is room. args: key, n, interval in ms, burst,
 * longest wait in ms. Returns { wait in ms, taken (0 or 1) }. Cost: two reads and a write. Run twice, it takes twice: then the next waits longer.
 */
export const takeScript = (name: string, prefix: string): PluginScript => ({
  name,
  keys: () => [prefix],
  lua: `${TAT}
    local clock = redis.call('TIME')
    local now = clock[1] * 1000 + clock[2] / 1000
    local key, n, every, burst = keys[1] .. args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
    local tat = owed(key, now)
    local wait = math.max(0, tat - now + (n - burst) * every)
    if wait < ROUNDING then wait = 0 end
    if wait > tonumber(args[5]) then return { math.ceil(wait), 0 } end
    write(key, tat + n * every, now)
    return { math.ceil(wait), 1 }`,
})

export type TakeArgs = [key: string, n: number, everyMs: number, burst: number, maxWaitMs: number]

export const PUBLISH_PREFIX = 'publish:'

/** So many publishes, or none of the unit. args: key, interval in ms, burst. Cost: a read and, where it is accepted, a read and a write a message. */
export const publishGuard: Omit<PublishGuard, 'args'> = {
  at: 'publish',
  name: 'publish',
  keys: () => [PUBLISH_PREFIX],
  lua: `${TAT}
    return {
      check = function(m, args, shared)
        local key, every, burst = m.keys[1] .. args[1], tonumber(args[2]), tonumber(args[3])
        local tat = shared[key] or owed(key, m.now)
        local early = tat - m.now - (burst - 1) * every
        if early > ROUNDING then return reject('rate', math.ceil(early)) end
        shared[key] = tat + every
        return pass()
      end,
      apply = function(m, args)
        local key = m.keys[1] .. args[1]
        write(key, owed(key, m.now) + tonumber(args[2]), m.now)
      end,
    }`,
}
