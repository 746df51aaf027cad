/** Plugins' own scripts: what the runner loads, and the functions that plugins call. */
import type { GuardArgs, PluginScript } from '../api/index.js'
import type { ScriptRunner } from '../seams.js'
import type { Declared } from './declared.js'
import { pluginKeys } from './keys.js'

export interface ScriptSource {
  readonly name: string
  readonly lua: string
  readonly readOnly: boolean
}

/** The name under which the runner has a plugin's script. */
export const scriptName = (plugin: string, script: string): string => `${plugin}/${script}`

/** Every plugin's scripts for `composePluginScript`. */
export const scriptSources = (plugins: readonly Declared[]): ScriptSource[] =>
  plugins.flatMap(({ plugin, scripts }) =>
    scripts.map(({ name, lua, readOnly = false }) => ({
      name: scriptName(plugin.name, name),
      lua: withNames(lua),
      readOnly,
    })),
  )

/** The kernel's two keys come first in every script; a plugin's script sees its own alone. On its first line, so that errors tell its own line numbers. */
const withNames = (lua: string): string =>
  `local keys, args = {}, ARGV for position = 3, #KEYS do keys[position - 2] = KEYS[position] end ${lua}`

/** Runs one of them on a topic's keys. */
export function runScript(
  runner: ScriptRunner,
  plugin: string,
  script: PluginScript,
  topic: string,
  args: GuardArgs,
): Promise<unknown> {
  return runner.runPlugin(scriptName(plugin, script.name), topic, pluginKeys(plugin, script.keys(topic)), args)
}
