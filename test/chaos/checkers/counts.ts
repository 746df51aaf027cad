import { of } from '../history.js'
import { groupBy, type Reading } from '../runs.js'
import type { Checker } from './checker.js'

/** C: each place has as many messages as `stats` says, none is in two places of a group, and what ended moved to where it belongs. */
export const counts: Checker = (reading) => {
  const stored = of(reading.history, 'stored')
  const found = stored.flatMap(({ topic, group, place, count, names }) =>
    count === names.length ? [] : [`stats says ${count} ${place} of ${topic} in ${group}, there are ${names.length}`],
  )
  for (const [where, places] of groupBy(stored, ({ topic, group }) => `${topic} in ${group}`)) {
    const names = places.flatMap((place) => place.names)
    const all = new Set<string>()
    for (const name of names) {
      if (all.has(name)) found.push(`${name} is stored twice in ${where}`)
      all.add(name)
    }
  }
  return [...found, ...misplaced(reading)]
}

/** Dead letters that are not kept as such, and messages that are done and still kept. */
function misplaced(reading: Reading): string[] {
  const placeOf = new Map<string, string>()
  for (const { topic, group, place, names } of of(reading.history, 'stored'))
    for (const name of names) placeOf.set(`${name} of ${topic} in ${group}`, place)
  return [...reading.perMessage()].flatMap(([what, runs]) => {
    const last = runs.filter((run) => reading.isFinal(run)).at(-1)
    if (last === undefined || reading.lost(last.settled?.serverMs ?? last.startMs)) return []
    const place = placeOf.get(what)
    const isDead = last.settled?.outcome === 'dead'
    if (isDead && place !== 'dead') return [`${what} is dead by ${last.run}, and is ${place ?? 'nowhere'}`]
    return !isDead && place !== undefined ? [`${what} is done by ${last.run}, and is still ${place}`] : []
  })
}
