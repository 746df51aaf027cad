import { of } from '../history.js'
import { groupBy } from '../runs.js'
import type { Checker } from './checker.js'

/** T: what a run staged exists exactly if its settle was accepted as done, all of it or none; and so does what was published as a batch. What was carried to a master that forgot it is excused. */
export const transactions: Checker = (reading) => [...ofSettles(reading), ...ofBatches(reading)]

const ofSettles: Checker = (reading) =>
  reading.runs.flatMap((run) => {
    if (run.staged.length === 0) return []
    const there = run.staged.filter(({ name }) => reading.seen.has(name)).map(({ name }) => name)
    const gone = run.staged.filter(({ name }) => !reading.seen.has(name)).map(({ name }) => name)
    const { settled } = run
    if (settled && (settled.refused || settled.outcome !== 'done'))
      return there.map((name) => `${name} exists, and ${run.run}, which staged it, was not settled`)
    if (reading.lost(settled?.serverMs ?? run.startMs)) return []
    if (reading.forgotApart(settled?.serverMs ?? run.startMs)) return []
    if (settled) return gone.map((name) => `${name} does not exist, and ${run.run}, which staged it, was settled`)
    return there.length > 0
      ? gone.map((name) => `${name} does not exist, but ${there.join(', ')} of the same settle does`)
      : []
  })

/** Also of those of which nobody knows whether they were published. */
const ofBatches: Checker = ({ history, seen, strikes }) => {
  // What a server lost and what it kept of a batch's runs says nothing about its publish.
  if (strikes.some(({ lostFromMs }) => lostFromMs !== undefined)) return []
  const batched = of(history, 'publishing').filter(({ batch }) => batch !== undefined)
  return [...groupBy(batched, ({ batch }) => batch as string)].flatMap(([batch, messages]) => {
    const there = messages.filter(({ name }) => seen.has(name))
    if (there.length === 0 || there.length === messages.length) return []
    return [`of batch ${batch} there are ${there.length} of ${messages.length}`]
  })
}
