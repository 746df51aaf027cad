/** Guards as the kernel meets them: their TypeScript half registered by place and position, their Lua half for @busway/lua to compose. */
import type { GuardLua, GuardStage } from '@busway/lua'
import type { Guard, GuardArgs } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Pipeline, RegisteredFetchGuard, RegisteredPublishGuard, RegisteredSettleGuard } from '../seams.js'
import type { Declared } from './declared.js'
import { pluginKeys } from './keys.js'

const names = /^[a-z][a-zA-Z0-9-]{0,63}$/
const stages: readonly GuardStage[] = ['publish', 'fetch', 'settle']

/** Throws CONFIG_INVALID for what is no guard. */
export function checkGuard(plugin: string, guard: Guard, declared: readonly Guard[]): void {
  const complain = (what: string): never => {
    throw new BuswayError('CONFIG_INVALID', `Plugin '${plugin}': ${what}`, { details: { plugin } })
  }
  if (typeof guard !== 'object' || guard === null) complain('a guard is an object { name, at, keys, args, lua }.')
  if (typeof guard.name !== 'string' || !names.test(guard.name)) {
    complain("a guard's name is 1 to 64 letters, digits and dashes, beginning with a lower case letter.")
  }
  if (!stages.includes(guard.at)) complain(`guard '${guard.name}' is at none of ${stages.join(', ')}.`)
  if (typeof guard.keys !== 'function') complain(`guard '${guard.name}' has no keys().`)
  if (typeof guard.args !== 'function') complain(`guard '${guard.name}' has no args().`)
  if (typeof guard.lua !== 'string') complain(`guard '${guard.name}' has no lua, a chunk that returns its functions.`)
  if (declared.some((other) => other.at === guard.at && other.name === guard.name)) {
    complain(`it has two ${guard.at} guards named '${guard.name}'.`)
  }
}

/** Each place's guards; a guard's position here is its number in requests and in the composed scripts. */
export function registerGuards(plugins: readonly Declared[]): Pipeline['guards'] {
  const publish: RegisteredPublishGuard[] = []
  const fetch: RegisteredFetchGuard[] = []
  const settle: RegisteredSettleGuard[] = []
  for (const { plugin, guards } of plugins) {
    for (const guard of guards) {
      const registered = { plugin: plugin.name, name: guard.name, keys: keysOf(plugin.name, guard) }
      switch (guard.at) {
        case 'publish':
          publish.push({ ...registered, args: (message) => checked(registered, guard.args(message)) })
          break
        case 'fetch':
          fetch.push({ ...registered, args: (subscription) => checked(registered, guard.args(subscription)) })
          break
        case 'settle':
          settle.push({
            ...registered,
            args: (delivery, outcome) => checked(registered, guard.args(delivery, outcome)),
          })
      }
    }
  }
  return { publish, fetch, settle }
}

/** The Lua halves, in the same order. */
export function guardLua(plugins: readonly Declared[]): Record<GuardStage, GuardLua[]> {
  const at: Record<GuardStage, GuardLua[]> = { publish: [], fetch: [], settle: [] }
  for (const { plugin, guards } of plugins) {
    for (const guard of guards) {
      const keys = keysOf(plugin.name, guard)
      at[guard.at].push({
        name: `${plugin.name}/${guard.name}`,
        keys: (topic, group) => keys(topic, group ?? ''),
        lua: guard.lua,
      })
    }
  }
  return at
}

const keysOf =
  (plugin: string, guard: Guard) =>
  (topic: string, group: string): string[] =>
    pluginKeys(plugin, guard.keys(topic, group))

function checked(guard: { readonly plugin: string; readonly name: string }, args: unknown): GuardArgs | undefined {
  if (args === undefined) return undefined
  if (Array.isArray(args) && args.every(isArg)) return args
  throw new BuswayError(
    'PLUGIN_MISUSE',
    `The args of guard '${guard.plugin}/${guard.name}' answer a list of strings, finite numbers and byte arrays, or undefined.`,
    { details: { plugin: guard.plugin, guard: guard.name } },
  )
}

const isArg = (arg: unknown): boolean =>
  typeof arg === 'string' || (typeof arg === 'number' && Number.isFinite(arg)) || arg instanceof Uint8Array
