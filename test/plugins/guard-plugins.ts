/** Guards of the suite's own, each as small as what it shows. */
import { plugin } from './equipped.js'

/** At most `max` messages are ever accepted; the next one may be tried after a quarter of a second. */
export const atMost = (max: number) =>
  plugin('at-most', (scope) =>
    scope.guard({
      at: 'publish',
      name: 'count',
      keys: () => ['accepted'],
      args: () => [max],
      lua: `
        return {
          check = function(m, args, shared)
            local n = shared.n or tonumber(redis.call('GET', m.keys[1]) or '0')
            if n >= tonumber(args[1]) then return reject('full', 250) end
            shared.n = n + 1
            return pass()
          end,
          apply = function(m) redis.call('INCR', m.keys[1]) end,
        }`,
    }),
  )

/** One message per value of the option `once`. */
export const once = () =>
  plugin('once', (scope) => {
    scope.option('publish', 'once', (value) => (typeof value === 'string' ? undefined : 'a string'))
    scope.guard({
      at: 'publish',
      name: 'first',
      keys: () => ['seen'],
      args: ({ options }) => (options.once === undefined ? undefined : [String(options.once)]),
      lua: `
        return {
          check = function(m, args, shared)
            local known = shared[args[1]] or redis.call('HGET', m.keys[1], args[1])
            if known then return duplicate(known) end
            shared[args[1]] = m.id
          end,
          apply = function(m, args) redis.call('HSET', m.keys[1], args[1], m.id) end,
        }`,
    })
  })

/** The latest of what waits under one name, `ms` after the last that came. */
export const debounce = (ms: number) =>
  plugin('debounce', (scope) => {
    scope.option('publish', 'latest', (value) => (typeof value === 'string' ? undefined : 'a string'))
    scope.guard({
      at: 'publish',
      name: 'latest',
      keys: () => ['waiting'],
      args: ({ options }) => (options.latest === undefined ? undefined : [String(options.latest), ms]),
      lua: `
        return {
          check = function(m, args)
            local waiting = redis.call('HGET', m.keys[1], args[1])
            if waiting then return replace(waiting), defer(args[2]) end
            return defer(args[2])
          end,
          apply = function(m, args) redis.call('HSET', m.keys[1], args[1], m.id) end,
        }`,
    })
  })

/** Its halves fail as the option says: `check` or `apply`. */
export const failing = () =>
  plugin('failing', (scope) => {
    scope.option('publish', 'fail', () => undefined)
    scope.guard({
      at: 'publish',
      name: 'faulty',
      keys: () => [],
      args: ({ options }) => (options.fail === undefined ? undefined : [String(options.fail)]),
      lua: `
        return {
          check = function(m, args) if args[1] == 'check' then error('broken check') end end,
          apply = function(m, args) if args[1] == 'apply' then redis.call('NO-SUCH-COMMAND') end end,
        }`,
    })
  })
