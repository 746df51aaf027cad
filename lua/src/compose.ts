/** Makes the scripts that a client loads: their text for this Redis, with the registered guards inside, and the hash that addresses it. */

import { createHash } from 'node:crypto'
import type { GuardKeys, ScriptName } from './contract.js'
import { assemble } from './files.js'

/** A guard as the scripts see it. `keys` are relative to the topic's prefix; they are sent with each request that calls the guard. */
export interface GuardLua {
  readonly name: string
  readonly keys: readonly string[] | ((topic: string, group?: string) => readonly string[])
  readonly lua: string
}

export type GuardStage = 'publish' | 'fetch' | 'settle'

export interface ComposeOptions {
  /** As INFO tells it, such as `7.0.15`. */
  readonly redisVersion: string
  /** Channels are of the topic's slot, as its keys are: sharded ones. Takes Redis 7. Default: false. */
  readonly isCluster?: boolean
  readonly guards?: { readonly [stage in GuardStage]?: readonly GuardLua[] }
}

export interface ComposedScript {
  readonly name: string
  readonly text: string
  /** Lower-case hexadecimal SHA-1 of the text, for EVALSHA. */
  readonly sha: string
}

export interface ScriptSet {
  get(name: ScriptName): ComposedScript
  /** Every script, for loading them all. */
  all(): readonly ComposedScript[]
  /** The guards' keys for `guardKeys` of a request; ask once for a producer or subscription. */
  guardKeys(stage: GuardStage, topic: string, group?: string): GuardKeys
  /** A plugin's own script: the text as it is, refused when memory is full as a publish is, unless it only reads. */
  composePluginScript(script: PluginLua): ComposedScript
}

export interface PluginLua {
  readonly name: string
  readonly lua: string
  /** Default: false. */
  readonly readOnly?: boolean
}

/** Whether a script may run when Redis is full. Those that may free memory, or free it later; the others are refused whole. */
const ALLOW_OOM: Readonly<Record<ScriptName, boolean>> = {
  'register-topic': false,
  'unregister-topic': true,
  'add-pattern': true,
  declare: false,
  publish: false,
  relay: false,
  'outbox-read': true,
  'outbox-trim': true,
  open: true,
  advance: true,
  'advance-publishing': false,
  seen: true,
  sync: true,
  close: true,
  watch: true,
  progress: true,
  settled: true,
  stats: true,
  pause: true,
  peek: true,
  consumers: true,
  'set-concurrency': true,
  'dead-letters': true,
  redrive: true,
  message: true,
  cancel: true,
  update: false,
  purge: true,
  'remove-group': true,
  'purge-topic': true,
  'delete-topic': true,
}

export const scriptNames = Object.keys(ALLOW_OOM) as readonly ScriptName[]

export function compose({ redisVersion, isCluster = false, guards = {} }: ComposeOptions): ScriptSet {
  const shebang = Number.parseInt(redisVersion, 10) >= 7
  const scripts = new Map<ScriptName, ComposedScript>()
  const get = (name: ScriptName): ComposedScript => {
    let script = scripts.get(name)
    if (script === undefined) {
      script = finished(
        name,
        insertGuards(published(assemble(name), isCluster), guards),
        ALLOW_OOM[name] ? 'frees' : 'writes',
        shebang,
      )
      scripts.set(name, script)
    }
    return script
  }
  return {
    get,
    all: () => scriptNames.map(get),
    guardKeys: (stage, topic, group) =>
      (guards[stage] ?? []).map(({ keys }) => (typeof keys === 'function' ? keys(topic, group) : keys)),
    composePluginScript: ({ name, lua, readOnly = false }) =>
      finished(name, lua, readOnly ? 'reads' : 'writes', shebang),
  }
}

/** A plugin's own script, when there is no set at hand. */
export function composePluginScript(
  { name, lua, readOnly = false }: PluginLua,
  { redisVersion }: Pick<ComposeOptions, 'redisVersion'>,
): ComposedScript {
  return finished(name, lua, readOnly ? 'reads' : 'writes', Number.parseInt(redisVersion, 10) >= 7)
}

/** What a script does to Redis' memory: what only reads, or may free some, runs when it is full. */
type Effect = 'reads' | 'writes' | 'frees'

/** A script may publish to channels of its own slot only, and those are other commands'. */
const published = (text: string, isCluster: boolean): string =>
  isCluster ? text.replaceAll("call('PUBLISH',", "call('SPUBLISH',") : text

function finished(name: string, lua: string, effect: Effect, shebang: boolean): ComposedScript {
  const text = prelude(effect, shebang) + lua
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * With a shebang Redis 7 refuses a script whole when memory is full or when it leaves its slot. Redis 6.2 knows none: there the first write
 * decides, and one that Redis always lets through opens the door for the rest.
 */
function prelude(effect: Effect, shebang: boolean): string {
  if (shebang) return SHEBANGS[effect]
  return effect === 'frees' ? "redis.call('HDEL', KEYS[2], '0')\n" : ''
}

const SHEBANGS: Readonly<Record<Effect, string>> = {
  reads: '#!lua flags=no-writes,allow-oom\n',
  writes: '#!lua\n',
  frees: '#!lua flags=allow-oom\n',
}

const GUARDS = /^[ \t]*--@guards (publish|fetch|settle)[ \t]*$/gm

/** Each guard is a function of its own, so its locals and its `return` stay inside. */
function insertGuards(text: string, guards: NonNullable<ComposeOptions['guards']>): string {
  return text.replace(GUARDS, (_line, stage: GuardStage) =>
    (guards[stage] ?? [])
      .map(({ name, lua }) => `{ name = ${luaString(name)}, guard = (function()\n${lua}\nend)() },`)
      .join('\n'),
  )
}

function luaString(value: string): string {
  return `"${value.replace(/[\\"\n\r\0]/g, (c) => `\\${c.charCodeAt(0).toString().padStart(3, '0')}`)}"`
}
