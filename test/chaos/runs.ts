/** What a history says of runs and faults, put together for the checkers. */
import { type Entry, type EntryOf, of } from './history.js'

/** One call of a handler. */
export interface Run {
  readonly name: string
  readonly run: string
  readonly topic: string
  readonly group: string
  readonly key: string | undefined
  readonly keySeq: number | undefined
  readonly process: string
  readonly startMs: number
  readonly ended: EntryOf<'ended'> | undefined
  readonly settled: EntryOf<'settled'> | undefined
  readonly staged: readonly EntryOf<'staged'>[]
  /** What it was told of its children, if it was. */
  readonly joined: EntryOf<'joined'> | undefined
}

/** From its begin to its end; to the end of time if it has none. */
export interface Strike {
  readonly fault: string
  readonly by: string | undefined
  readonly reruns: boolean
  readonly beginMs: number
  readonly endMs: number
  /** What the server confirmed then may be gone. */
  readonly lostFromMs: number | undefined
  readonly lostToMs: number
  readonly keepsPublishes: boolean
  /** Others kept what they knew of it. */
  readonly apart: boolean
}

/** What a fault still explains after it has ended: leases run out, and messages that were fetched ahead are run late. */
export const AFTERMATH_MS = 10_000

export class Reading {
  readonly runs: readonly Run[]
  readonly strikes: readonly Strike[]
  /** Names that were seen to exist after they were published: run, or stored at the end. */
  readonly seen: ReadonlySet<string>

  readonly history: readonly Entry[]
  readonly #dead: ReadonlySet<string>
  readonly #joins: ReadonlyMap<string, EntryOf<'joins'>>
  /** What waits for a message of a flow. */
  readonly #parents: ReadonlyMap<string, string>

  constructor(history: readonly Entry[]) {
    this.history = history
    const ended = new Map(of(history, 'ended').map((entry) => [entry.run, entry]))
    const joined = new Map(of(history, 'joined').map((entry) => [entry.run, entry]))
    const settled = new Map(of(history, 'settled').map((entry) => [entry.run, entry]))
    const staged = groupBy(of(history, 'staged'), ({ run }) => run)
    this.runs = of(history, 'started').map(({ name, run, topic, group, key, keySeq, process, serverMs }) => ({
      name,
      run,
      topic,
      group,
      key,
      keySeq,
      process,
      startMs: serverMs,
      ended: ended.get(run),
      settled: settled.get(run),
      staged: staged.get(run) ?? [],
      joined: joined.get(run),
    }))
    const dead = this.runs.filter((run) => run.settled?.outcome === 'dead' && !run.settled.refused)
    const buried = of(history, 'stored').filter(({ place }) => place === 'dead')
    this.#dead = new Set([...dead.map(({ name }) => name), ...buried.flatMap(({ names }) => names)])
    const joins = of(history, 'joins')
    this.#joins = new Map(joins.map((entry) => [entry.name, entry]))
    this.#parents = new Map(
      joins.flatMap(({ name, children }) => children.map((child): [string, string] => [child, name])),
    )
    const faults = of(history, 'fault')
    const ends = new Map(faults.filter(({ phase }) => phase === 'end').map((entry) => [entry.number, entry]))
    this.strikes = faults
      .filter(({ phase }) => phase === 'begin')
      .map(({ fault, by, reruns, serverMs, number }) => {
        const end = ends.get(number)
        const endMs = end?.serverMs ?? Number.POSITIVE_INFINITY
        const { lostFromMs, lostToMs = endMs, keepsPublishes = false, apart = false } = end ?? {}
        return { fault, by, reruns, beginMs: serverMs, endMs, lostFromMs, lostToMs, keepsPublishes, apart }
      })
    this.seen = new Set([...this.runs.map(({ name }) => name), ...of(history, 'stored').flatMap(({ names }) => names)])
  }

  /** Runs of one message in one group, in the order of their starts. */
  perMessage(): Map<string, Run[]> {
    return groupBy(this.runs, ({ topic, group, name }) => `${name} of ${topic} in ${group}`)
  }

  /** A fault for which a process may lose what it has in hand, between two moments or shortly before. */
  disturbed(process: string, fromMs: number, toMs: number): boolean {
    return this.strikes.some(
      ({ reruns, by, beginMs, endMs }) =>
        reruns && (by === undefined || by === process) && beginMs <= toMs && endMs + AFTERMATH_MS >= fromMs,
    )
  }

  /** What Redis confirmed at that moment may have been lost with it since. */
  lost(atMs: number): boolean {
    return this.#losses(atMs).length > 0
  }

  /** The same of a publish. */
  lostPublish(atMs: number): boolean {
    return this.#losses(atMs).some(({ keepsPublishes }) => !keepsPublishes)
  }

  /** A master has forgotten, since that moment, what others went by, publishes included: a report that a flow waits for, say. */
  forgotApart(sinceMs: number): boolean {
    return this.strikes.some(
      ({ lostFromMs, lostToMs, keepsPublishes, apart }) =>
        lostFromMs !== undefined && apart && !keepsPublishes && lostToMs >= sinceMs,
    )
  }

  /** A message of a flow that waits for others, or that others wait for. */
  isOfFlow(name: string): boolean {
    return this.#joins.has(name) || this.#parents.has(name)
  }

  #losses(atMs: number): Strike[] {
    return this.strikes.filter(
      ({ lostFromMs, lostToMs }) => lostFromMs !== undefined && atMs >= lostFromMs && atMs <= lostToMs,
    )
  }

  /** It is a dead letter, or will never run since something failed that it waits for. */
  hasFailed(name: string): boolean {
    if (this.#dead.has(name)) return true
    const joins = this.#joins.get(name)
    return joins?.policy === 'fail' && joins.children.some((child) => this.hasFailed(child))
  }

  /** It need not run: it failed with what it waits for, or all that waits for it did. */
  isSkipped(name: string): boolean {
    if (this.hasFailed(name)) return true
    const parent = this.#parents.get(name)
    return parent !== undefined && this.#joins.has(name) && this.isSkipped(parent)
  }

  /** Its settle ended the message for its group, as Redis confirmed or as what it staged proves. */
  isFinal(run: Run): boolean {
    if (run.settled) return !run.settled.refused && (run.settled.outcome === 'done' || run.settled.outcome === 'dead')
    return run.staged.some(({ name }) => this.seen.has(name))
  }

  /** It ended, and its process was gone before anyone could tell whether it settled. What it staged, if anything, would tell. */
  mayBeFinal(run: Run): boolean {
    if (run.settled || run.ended === undefined || run.ended.how === 'retry') return false
    return run.staged.length === 0 && this.disturbed(run.process, run.startMs, Number.POSITIVE_INFINITY)
  }
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}
