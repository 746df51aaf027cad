/** Whether a value is a plugin at all, said when it is registered. */
import type { Plugin } from '../api/index.js'
import { BuswayError } from '../errors/index.js'

const apiVersion = 1
const names = /^[a-z][a-z0-9-]{0,63}$/
const fields = new Set(['name', 'api', 'requires', 'before', 'after', 'setup'])

/** Throws CONFIG_INVALID, naming the plugin and what is wrong with it. */
export function checkShape(value: unknown): asserts value is Plugin {
  if (typeof value === 'function')
    throw invalid('A plugin is a value, not a function: call it, as in plugins: [dedupe()].')
  if (typeof value !== 'object' || value === null)
    throw invalid('A plugin is an object { name, api: 1, setup(scope) }.')
  const plugin = value as Record<string, unknown>
  const { name } = plugin
  if (typeof name !== 'string' || !names.test(name)) {
    throw invalid("A plugin's name is 1 to 64 lower case letters, digits and dashes, beginning with a letter.")
  }
  if (plugin.api !== apiVersion) {
    throw invalid(
      `Plugin '${name}' is written for version ${String(plugin.api)} of the plugin contract, this bus has version ${apiVersion}; install versions that go together.`,
      name,
    )
  }
  if (typeof plugin.setup !== 'function') throw invalid(`Plugin '${name}' has no setup(scope).`, name)
  for (const list of ['requires', 'before', 'after']) {
    const listed = plugin[list]
    if (listed !== undefined && !isNames(listed))
      throw invalid(`Plugin '${name}': ${list} is a list of plugin names.`, name)
  }
  for (const field of Object.keys(plugin)) {
    if (!fields.has(field))
      throw invalid(`Plugin '${name}': there is no field '${field}'; it has ${[...fields].join(', ')}.`, name)
  }
}

const isNames = (value: unknown): boolean => Array.isArray(value) && value.every((name) => typeof name === 'string')

const invalid = (message: string, plugin?: string): BuswayError =>
  new BuswayError('CONFIG_INVALID', message, plugin === undefined ? {} : { details: { plugin } })
