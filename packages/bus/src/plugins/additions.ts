/** What plugins add to the bus itself. */
import { BuswayError } from '../errors/index.js'

/** Puts `additions` onto `bus`. Throws CONFIG_INVALID, before anything is added, for a name that is taken. Answers the names. */
export function addToBus(
  bus: object,
  plugin: string,
  additions: unknown,
  owners: ReadonlyMap<string, string>,
): string[] {
  if (additions === undefined || additions === null) return []
  const invalid = (what: string): BuswayError =>
    new BuswayError('CONFIG_INVALID', `Plugin '${plugin}': ${what}`, { details: { plugin } })
  if (additions instanceof Promise)
    throw invalid('setup() declares and is not async; its I/O belongs into scope.ready().')
  if (typeof additions !== 'object')
    throw invalid(`setup() returned ${typeof additions}; it is an object of additions to the bus.`)
  const names = Object.keys(additions)
  for (const name of names) {
    const owner = owners.get(name)
    if (owner !== undefined)
      throw invalid(`it adds '${name}' to the bus, as plugin '${owner}' does; register one of them.`)
    if (name in bus) throw invalid(`it adds '${name}' to the bus, which has one of its own; choose another name.`)
  }
  for (const name of names) {
    const descriptor = Object.getOwnPropertyDescriptor(additions, name)
    if (descriptor !== undefined) Object.defineProperty(bus, name, { ...descriptor, configurable: true })
  }
  return names
}
