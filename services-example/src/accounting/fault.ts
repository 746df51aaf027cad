import type { Group } from './evidence.js'

/** Something that does not balance. */
export interface Fault {
  kind: 'lost' | 'duplicated' | 'unexplained' | 'stray'
  /** Where it shows; absent for what concerns the feed or the whole. */
  group?: Group
  count: number
  /** One line for people: what, where, which flights. */
  text: string
}

const NAMED_AT_MOST = 5

/** A fault about these flights, or none if there are none. `what` completes `ledger: 3 flights ...`. */
export function faultAbout(
  flights: readonly number[],
  kind: Fault['kind'],
  group: Group | undefined,
  what: string,
): Fault[] {
  if (flights.length === 0) return []
  const named = [...flights].sort((a, b) => a - b).slice(0, NAMED_AT_MOST)
  const which =
    flights.length === 1
      ? `flight ${named[0]}`
      : `${flights.length} flights (${named.join(', ')}${flights.length > NAMED_AT_MOST ? ', ...' : ''})`
  return [
    { kind, ...(group && { group }), count: flights.length, text: `${kind} in ${group ?? 'feed'}: ${which} ${what}` },
  ]
}

/** `1 message`, `2 messages`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
