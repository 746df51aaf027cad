/** What a new version of a schema must be able to do with those before it. */
import { type Conflict, conflicts, describeConflicts } from '../schema/compatibility.js'
import type { Node } from '../schema/node.js'

/**
 * - `BACKWARD`: the new schema reads what the latest wrote, so consumers are deployed first
 * - `FORWARD`: the latest reads what the new one writes, so producers are deployed first
 * - `FULL`: both
 * - `..._TRANSITIVE`: with every version, not the latest alone
 * - `NONE`: anything
 */
export type Compatibility = (typeof compatibilities)[number]

export const compatibilities = [
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
  'NONE',
] as const

/** Of subjects of which nobody has said another. */
export const DEFAULT_MODE: Compatibility = 'BACKWARD'

/** How many of the versions it is about, from the newest on. */
export const versionsChecked = (mode: Compatibility): number =>
  mode === 'NONE' ? 0 : mode.endsWith('_TRANSITIVE') ? Number.POSITIVE_INFINITY : 1

/** What is wrong with `next` after `before`, which errors call `version`, if anything. */
export function incompatibility(mode: Compatibility, next: Node, before: Node, version: string): string | undefined {
  const isBackward = mode.startsWith('BACKWARD') || mode.startsWith('FULL')
  const isForward = mode.startsWith('FORWARD') || mode.startsWith('FULL')
  const reasons: string[] = []
  const told = (found: readonly Conflict[], what: string): void => {
    if (found.length > 0) reasons.push(`${what}: ${describeConflicts(found)}`)
  }
  if (isBackward) told(conflicts(next, before), `it cannot read what ${version} wrote`)
  if (isForward) told(conflicts(before, next), `${version} cannot read what it writes`)
  return reasons.length === 0 ? undefined : reasons.join('; ')
}
