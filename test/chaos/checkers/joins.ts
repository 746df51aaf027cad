import { of } from '../history.js'
import { groupBy, type Reading, type Run } from '../runs.js'
import type { Checker } from './checker.js'
import { CLOCKS_MS } from './order.js'

/** J: a message of a flow runs when those that it waits for have ended and not before, is told how they did, and not at all if one failed that it needs. Every flow ends, but for what a master forgot that others went by. */
export const joins: Checker = (reading) => {
  const runsOf = groupBy(reading.runs, ({ name }) => name)
  const runs = new Map(reading.runs.map((run) => [run.run, run]))
  const open = reading.forgotApart(0)
    ? []
    : of(reading.history, 'open').map(
        ({ flow, failures }) => `flow ${flow} has not ended; ${failures.join(', ') || 'nothing failed'}`,
      )
  const wrong = of(reading.history, 'joins').flatMap(({ name, children, policy }) =>
    (runsOf.get(name) ?? []).flatMap((run) =>
      children.flatMap((child) => problemsOf(reading, run, child, runs, policy)),
    ),
  )
  return [...open, ...wrong]
}

function problemsOf(
  reading: Reading,
  run: Run,
  child: string,
  runs: ReadonlyMap<string, Run>,
  policy: string,
): string[] {
  const told = run.joined?.children.find(({ name }) => name === child)
  if (told === undefined) return run.joined ? [`${run.name} (${run.run}) was not told of ${child}`] : []
  if (told.outcome === 'failed') {
    if (policy === 'fail') return [`${run.name} ran as ${run.run} though ${child} had failed`]
    return reading.hasFailed(child) ? [] : [`${run.name} (${run.run}) was told that ${child} failed, which did not`]
  }
  const ended = runs.get(told.by ?? '')
  if (ended?.name !== child || ended.settled?.refused || ended.settled?.outcome === 'retry')
    return [`${run.name} (${run.run}) was told that ${child} was done by ${told.by}, which settled nothing`]
  const endMs = ended.ended?.serverMs ?? Number.POSITIVE_INFINITY
  return endMs > run.startMs + CLOCKS_MS ? [`${run.name} ran as ${run.run} before ${child} had ended`] : []
}
