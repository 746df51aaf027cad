/** The scripts of this bus, composed for the version that answered, and loading them where they are missing. */
import { type ComposedScript, compose, type GuardLua, type GuardStage, type ScriptSet } from '@busway/lua'
import { BuswayError } from '../errors/busway-error.js'
import type { Link } from './link.js'
import { checkGuards, loadPluginScript } from './plugin-lua.js'

/** What plugins bring in Lua. */
export interface PluginLua {
  readonly guards: { readonly [stage in GuardStage]?: readonly GuardLua[] }
  readonly scripts: readonly { readonly name: string; readonly lua: string }[]
}

export class Scripts {
  readonly #lua: () => PluginLua
  readonly #isCluster: boolean
  #version: string | undefined
  #set: ScriptSet | undefined
  #plugins: ReadonlyMap<string, ComposedScript> = new Map()
  #areGuardsChecked = false

  /** `isCluster`: what they publish is of their slot. */
  constructor(lua: () => PluginLua, isCluster: boolean) {
    this.#lua = lua
    this.#isCluster = isCluster
  }

  get set(): ScriptSet {
    if (this.#set === undefined) this.compose(this.#version ?? '7.0.0')
    return this.#set as ScriptSet
  }

  plugin(name: string): ComposedScript {
    const script = this.#plugins.get(name)
    if (script === undefined) throw new BuswayError('CONFIG_INVALID', `No plugin has declared a script named ${name}.`)
    return script
  }

  /** Once per version: a rolling upgrade of Redis may change it under a running bus. */
  compose(version: string): void {
    if (this.#set !== undefined && version === this.#version) return
    const { guards, scripts } = this.#lua()
    const set = compose({ redisVersion: version, isCluster: this.#isCluster, guards })
    this.#version = version
    this.#set = set
    this.#plugins = new Map(scripts.map((script) => [script.name, set.composePluginScript(script)]))
  }

  /** Loads what this server does not have: two round trips at most. */
  async load(link: Link): Promise<void> {
    const { guards } = this.#lua()
    if (!this.#areGuardsChecked) await checkGuards(link, guards)
    this.#areGuardsChecked = true
    const all = [...this.set.all(), ...this.#plugins.values()]
    const present = (await link.call('SCRIPT', ['EXISTS', ...all.map((script) => script.sha)])) as number[]
    const missing = all.filter((_, i) => present[i] !== 1)
    await Promise.all(
      missing.map(async (script) => {
        const isPlugins = this.#plugins.get(script.name) === script
        const sha = String(
          await (isPlugins ? loadPluginScript(link, script) : link.call('SCRIPT', ['LOAD', script.text])),
        )
        if (sha !== script.sha)
          throw new BuswayError(
            'REDIS_FAILED',
            `Redis loaded the script ${script.name} under another hash than its text has.`,
          )
      }),
    )
  }
}
