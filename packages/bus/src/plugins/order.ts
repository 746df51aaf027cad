/** Which plugin is outside of which. */
import type { Plugin } from '../api/index.js'
import { BuswayError } from '../errors/index.js'

/**
 * Registration order, outermost first, moved only as far as `before` and `after` ask. Throws CONFIG_INVALID for a cycle and for a missing `requires`.
 */
export function inOrder(plugins: readonly Plugin[]): Plugin[] {
  checkRequired(plugins)
  const outside = constraints(plugins)
  const left = [...plugins]
  const sorted: Plugin[] = []
  while (left.length > 0) {
    // Of those that nothing left must be outside of, the one registered first.
    const position = left.findIndex((plugin) => !left.some((other) => outside.get(other.name)?.has(plugin.name)))
    if (position < 0) throw cycle(left, outside)
    sorted.push(...left.splice(position, 1))
  }
  return sorted
}

function checkRequired(plugins: readonly Plugin[]): void {
  const names = new Set(plugins.map((plugin) => plugin.name))
  for (const plugin of plugins) {
    for (const required of plugin.requires ?? []) {
      if (names.has(required)) continue
      throw new BuswayError(
        'CONFIG_INVALID',
        `Plugin '${plugin.name}' requires the plugin '${required}', which is not registered; add it to the bus' plugins.`,
        { details: { plugin: plugin.name, requires: required } },
      )
    }
  }
}

/** For each plugin those that it must be outside of. Names of plugins that are not there say nothing. */
function constraints(plugins: readonly Plugin[]): Map<string, Set<string>> {
  const inside = new Map(plugins.map((plugin) => [plugin.name, new Set<string>()]))
  for (const plugin of plugins) {
    for (const name of plugin.before ?? []) if (inside.has(name)) inside.get(plugin.name)?.add(name)
    for (const name of plugin.after ?? []) inside.get(name)?.add(plugin.name)
  }
  return inside
}

function cycle(left: readonly Plugin[], outside: ReadonlyMap<string, ReadonlySet<string>>): BuswayError {
  // Each plugin left has another one left that must be outside of it; following those comes around.
  const path: string[] = []
  let name = left[0]?.name
  while (name !== undefined && !path.includes(name)) {
    path.push(name)
    const inner = name
    name = left.find((other) => outside.get(other.name)?.has(inner))?.name
  }
  const around = name === undefined ? path : [...path.slice(path.indexOf(name)), name]
  return new BuswayError(
    'CONFIG_INVALID',
    `The plugins' before and after go in a circle: ${around.reverse().join(' before ')}; remove one of them.`,
    { details: { plugins: around } },
  )
}
