/** The plugins of a deployment: which there are, in which order, and made with their options. */
import type { Plugin, PluginModule } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { checkShape } from '../plugins/shape.js'
import { shown } from '../validate/names.js'
import { nearest } from '../validate/nearest.js'
import { check, compileSchema } from './check.js'
import type { PluginEntry } from './deployment.js'
import { dependenciesAround, ownPlugins, resolveModule } from './resolve.js'

/** An entry with where the file has it, for errors. */
export interface PlacedEntry {
  readonly module: string
  readonly options: object | false | undefined
  readonly path: string
}

export const placed = (entries: readonly PluginEntry[] = [], path = 'plugins'): PlacedEntry[] =>
  entries.map((entry, i) => {
    const [module, options] = typeof entry === 'string' ? [entry, undefined] : [entry[0], entry[1]]
    return { module, options, path: `${path}[${i}]` }
  })

/** A service's own entries take the place of those for all that name the same module; the rest follow. */
export function overridden(forAll: readonly PlacedEntry[], own: readonly PlacedEntry[]): PlacedEntry[] {
  const merged = forAll.map((entry) => own.find(({ module }) => module === entry.module) ?? entry)
  return [...merged, ...own.filter((entry) => !merged.includes(entry))].filter(({ options }) => options !== false)
}

/** Throws CONFIG_INVALID for a module that is named twice in one list. */
export function checkNamedOnce(entries: readonly PlacedEntry[], where: string): void {
  const seen = new Map<string, string>()
  for (const { module, path } of entries) {
    const before = seen.get(module)
    if (before !== undefined)
      throw new BuswayError('CONFIG_INVALID', `${where}: ${path} names ${shown(module)} again, as ${before} does.`)
    seen.set(module, path)
  }
}

/** Imports a plugin's module and makes the plugin. Throws CONFIG_INVALID: what is wrong with the module, or with its options. */
export async function makePlugin({ module, options, path }: PlacedEntry, file: URL, where: string): Promise<Plugin> {
  const imported = await importModule(module, path, file, where)
  const at = `${where}: ${path} (${module})`
  if (typeof imported.default !== 'function' || typeof imported.options !== 'object' || imported.options === null)
    throw new BuswayError(
      'CONFIG_INVALID',
      `${at} is no plugin's module: it exports a function as default, and a JSON Schema of its options as options.`,
    )
  const given = options === false ? undefined : options
  check(await compileSchema(imported.options, at), given ?? {}, at)
  const plugin: unknown = imported.default(given)
  checkShape(plugin)
  return plugin
}

async function importModule(module: string, path: string, file: URL, where: string): Promise<Partial<PluginModule>> {
  const url = resolveModule(module, file)
  if (url === undefined) {
    const near = nearest(module, [...ownPlugins, ...dependenciesAround(file)])
    const advice =
      near !== undefined && near !== module
        ? `Did you mean ${shown(near)}?`
        : module.startsWith('.')
          ? `There is no such file beside ${where}.`
          : `Install it where ${where} is: npm install ${module}.`
    throw new BuswayError('CONFIG_INVALID', `${where}: ${path} names ${shown(module)}, which is not there. ${advice}`, {
      details: { module, nearest: near },
    })
  }
  try {
    return (await import(url)) as Partial<PluginModule>
  } catch (cause) {
    throw new BuswayError(
      'CONFIG_INVALID',
      `${where}: ${path}: ${shown(module)} cannot be loaded: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** The code's plugins and the file's: one of the same name is the file's, in the code's place; the others are outside, in the file's order. */
export function together(listed: readonly Plugin[], fromFile: readonly Plugin[]): Plugin[] {
  const added = fromFile.filter(({ name }) => !listed.some((plugin) => plugin.name === name))
  return [...added, ...listed.map((plugin) => fromFile.find(({ name }) => name === plugin.name) ?? plugin)]
}
