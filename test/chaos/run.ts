/** One chaos run from begin to end: processes that work, faults that strike, a history that is judged. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { judge } from './checkers/index.js'
import { closingBus, drain, lookForRemains, takeStock } from './closing.js'
import type { Fault, Strikes } from './faults/fault.js'
import { Fleet } from './fleet.js'
import { type Entry, of, Recorder, readHistory } from './history.js'
import { seeded } from './random.js'
import { groupBy } from './runs.js'
import { sites } from './sites/index.js'
import type { Topology } from './sites/site.js'
import { SUBSCRIPTIONS } from './workload.js'

export interface ChaosOptions {
  readonly seed: number
  readonly seconds: number
  /** Struck one after the other at random. */
  readonly faults: readonly Fault[]
  /** Default: standalone. */
  readonly topology?: Topology
  /** Publishes are confirmed when a replica has them. Default: where there are replicas. */
  readonly isDurable?: boolean
  readonly producers?: number
  readonly consumers?: number
  /** Between two faults, at most. */
  readonly gapMs?: number
}

export interface ChaosResult {
  readonly problems: readonly string[]
  readonly history: readonly Entry[]
  /** Where history and seed are kept, if there are problems. */
  readonly folder: string | undefined
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const folder = await mkdtemp(join(tmpdir(), 'busway-chaos-'))
  const path = join(folder, 'history.jsonl')
  const problems: string[] = []
  await perform(options, path, problems).catch((error: Error) => problems.push(`the run failed: ${error.stack}`))
  const history = readHistory(path)
  problems.push(...judge(history))
  for (const fault of options.faults) if (options.faults.length === 1) problems.push(...(fault.hit?.(history) ?? []))
  if (problems.length === 0) {
    await rm(folder, { recursive: true })
    return { problems, history, folder: undefined }
  }
  const { seed, seconds, faults, topology, isDurable } = options
  const found = { seed, seconds, topology, isDurable, faults: faults.map(({ name }) => name), problems }
  await writeFile(join(folder, 'run.json'), `${JSON.stringify(found, undefined, 2)}\n`)
  return { problems, history, folder }
}

async function perform(options: ChaosOptions, path: string, problems: string[]): Promise<void> {
  const { seed, faults, topology = 'standalone', producers = 2, consumers = 2 } = options
  const { isDurable = topology !== 'standalone' } = options
  const recorder = new Recorder(path, 'run')
  await using site = await sites[topology]([...new Set(faults)].flatMap(({ args = [] }) => args))
  const { redis } = site
  const namespace = `chaos${seed}`
  const fleet = new Fleet(site, { namespace, history: path, seed, isDurable })
  try {
    const clock = new Redis(site.clock())
    await recorder.measure(clock)
    clock.disconnect()
    for (const topic of new Set(SUBSCRIPTIONS.map(({ topic }) => topic)))
      recorder.add({
        e: 'groups',
        topic,
        groups: SUBSCRIPTIONS.filter((one) => one.topic === topic).map(({ group }) => group),
      })
    // Groups exist before anything is published to them.
    await Promise.all(Array.from({ length: consumers }, () => fleet.start('consumer')))
    await Promise.all(Array.from({ length: producers }, () => fleet.start('producer')))
    await strike(options, recorder, { site, redis, namespace, fleet, isDurable })
    for (const producer of fleet.of('producer')) await producer.close()
    const place = { site, redis, namespace }
    const bus = closingBus(place)
    const late = await drain(place, bus)
    if (late !== undefined) problems.push(late)
    for (const consumer of fleet.of('consumer')) await consumer.close()
    await takeStock(bus, recorder)
    await bus.close()
    await lookForRemains(place, recorder)
    for (const { name, failure } of fleet.members)
      if (failure !== undefined) problems.push(`${name} failed: ${failure}`)
  } finally {
    await fleet.killAll()
    recorder.close()
  }
}

async function strike(
  { seed, seconds, faults, gapMs = 1500 }: ChaosOptions,
  recorder: Recorder,
  place: Pick<Strikes, 'site' | 'redis' | 'namespace' | 'fleet' | 'isDurable'>,
): Promise<void> {
  const random = seeded(seed)
  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  const untilMs = recorder.serverMs + seconds * 1000
  let number = 0
  while (recorder.serverMs < untilMs) {
    await pause(gapMs / 2 + random.whole(gapMs / 2))
    const fault = random.pick(faults)
    await fault.strike({
      ...place,
      random,
      pause,
      now: () => recorder.serverMs,
      begin({ by, reruns }) {
        const what = {
          e: 'fault',
          fault: fault.name,
          number: ++number,
          reruns,
          ...(by !== undefined && { by }),
        } as const
        recorder.add({ ...what, phase: 'begin' })
        return (loss = {}) => recorder.add({ ...what, phase: 'end', ...loss })
      },
      published: (name, topic) => recorder.add({ e: 'publishing', name, topic }),
      left: (what) => recorder.add({ e: 'left', what }),
    })
  }
}

/** What a run was like: a run in which something never happened shows nothing about it. */
export function summary(history: readonly Entry[]): string {
  const tally = (entries: readonly string[]) =>
    [...groupBy(entries, (entry) => entry)].map(([what, { length }]) => `${length} ${what}`).join(', ') || 'none'
  const begun = of(history, 'fault').filter(({ phase }) => phase === 'begin')
  return [
    `publishes: ${tally(of(history, 'published').map(({ outcome, code }) => code ?? outcome))}`,
    `settles: ${tally(of(history, 'settled').map(({ outcome, refused }) => (refused ? 'refused' : outcome)))}`,
    `staged: ${of(history, 'staged').length}; noticed rollbacks: ${of(history, 'rollback').length}`,
    `faults: ${tally(begun.map(({ fault }) => fault))}`,
  ].join('\n')
}
