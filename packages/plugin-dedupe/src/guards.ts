/** The Lua: what is decided and remembered inside the kernel's scripts. */
import type { FetchGuard, PublishGuard, SettleGuard } from '@busway/bus'

/** Where the keys are that say which message has a dedupe key; the key itself follows. */
export const PREFIX = 'key:'

/**
 * A dedupe key holds the id of the last message that was accepted under it. At publish: reads it, and writes it if the message was accepted, so that nothing
 * is remembered of one that was not.
 * args: key, mode, window in ms. Cost: one read and one write a message that has it; one string key, that expires or ends with its message.
 */
export const publishGuard: Omit<PublishGuard, 'args'> = {
  at: 'publish',
  name: 'key',
  keys: () => [PREFIX],
  lua: `
    return {
      check = function(m, args, shared)
        local key, mode = m.keys[1] .. args[1], args[2]
        local known = shared[key] or redis.call('GET', key)
        if mode == 'window' or mode == 'until-settled' then
          if known then return duplicate(known) end
          shared[key] = m.id
          return pass()
        end
        shared[key] = m.id
        if mode == 'debounce' then
          if known then return replace(known), defer(args[3]) end
          return defer(args[3])
        end
        if known then return replace(known) end
      end,
      apply = function(m, args)
        local key, mode = m.keys[1] .. args[1], args[2]
        if mode == 'window' or mode == 'debounce' then
          redis.call('SET', key, m.id, 'PX', args[3])
        else
          redis.call('SET', key, m.id) -- deleted with the message that owns it
        end
      end,
    }`,
}

const inboxKeys = (_topic: string, group: string): string[] => [`${group}:inbox`]

/** What a group has done, by id, in the settle itself. args: window in ms. Cost: 4 commands a message; about 90 bytes for each that it remembers. */
export const rememberGuard: Omit<SettleGuard, 'args'> = {
  at: 'settle',
  name: 'remember',
  keys: inboxKeys,
  lua: `
    return {
      apply = function(s, args)
        local inbox, window = s.keys[1], tonumber(args[1])
        redis.call('ZADD', inbox, s.now, s.id)
        redis.call('PEXPIRE', inbox, window)
        -- A few more than come in, so that it never lags behind.
        local old = redis.call('ZRANGEBYSCORE', inbox, '-inf', s.now - window, 'LIMIT', 0, 4)
        if #old > 0 then redis.call('ZREM', inbox, unpack(old)) end
      end,
    }`,
}

/** args: window in ms. Cost: a read a message. */
export const knownGuard: Omit<FetchGuard, 'args'> = {
  at: 'fetch',
  name: 'known',
  keys: inboxKeys,
  lua: `
    return {
      skip = function(f, id, args)
        local doneAt = redis.call('ZSCORE', f.keys[1], id)
        return doneAt and tonumber(doneAt) > f.now - tonumber(args[1])
      end,
    }`,
}
