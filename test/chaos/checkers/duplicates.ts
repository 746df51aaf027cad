import type { Checker } from './checker.js'

/** D: a message runs again only if the run before asked for it, or a fault hit a process that had it. */
export const duplicates: Checker = (reading) =>
  [...reading.perMessage()].flatMap(([what, runs]) =>
    runs.slice(1).flatMap((run, i) => {
      const before = runs.slice(0, i + 1)
      if (before.at(-1)?.ended?.how === 'retry') return []
      const explained = [...before, run].some(({ process }) =>
        reading.disturbed(process, before[0]?.startMs as number, run.startMs),
      )
      if (explained) return []
      return [
        `${what} ran again as ${run.run} after ${before.map((one) => one.run).join(', ')}, and nothing explains it`,
      ]
    }),
  )
