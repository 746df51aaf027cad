import type { Checker } from './checker.js'

/** F: of one message, one group has one settle accepted that ends it. */
export const fencing: Checker = (reading) =>
  [...reading.perMessage()].flatMap(([what, runs]) => {
    const lasting = runs.filter((run) => reading.isFinal(run) && !reading.lost(run.settled?.serverMs ?? run.startMs))
    if (lasting.length <= 1) return []
    return [`${what} was settled by ${lasting.map(({ run }) => run).join(' and by ')}`]
  })
