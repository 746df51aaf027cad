/** The end of a chaos run: everything is waited for, looked at, and cleared away. */
import { createBus, type Plugin, type Scope } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { flow } from '@busway/plugin-flow'
import { ratelimit } from '@busway/plugin-ratelimit'
import { schedule } from '@busway/plugin-schedule'
import type { Redis } from 'ioredis'
import { eventually } from '../support/eventually.js'
import { expectNothingLeft } from '../support/nothing-left.js'
import { expectConsistent } from '../support/private-redis.js'
import type { Recorder } from './history.js'
import { type Site, watched } from './sites/site.js'
import { type Body, SCHEDULE, SUBSCRIPTIONS, TOPICS } from './workload.js'

/** Long enough for leases, retries and a slow machine. */
const DRAIN_MS = 60_000
const FLOW = '$flow'
const PLACES = ['ready', 'inFlight', 'retrying', 'held', 'dead'] as const

export interface ClosingPlace {
  readonly site: Site
  readonly redis: Redis
  readonly namespace: string
}

export function closingBus({ site, namespace }: ClosingPlace) {
  let internal: Scope['bus'] | undefined
  /** The topics of plugins are for plugins alone. */
  const inside: Plugin<'inside'> = {
    name: 'inside',
    api: 1,
    setup(scope) {
      scope.ready(() => {
        internal = scope.bus
      })
    },
  }
  const bus = createBus({
    service: 'closing',
    redis: site.address,
    namespace,
    logger: false,
    plugins: [dedupe(), ratelimit(), schedule({ fire: false }), flow({ coordinate: false }), inside],
  })
  return Object.assign(bus, { internal: () => internal as Scope['bus'] })
}
type ClosingBus = ReturnType<typeof closingBus>

/** Ends the schedule and resolves when nothing waits or runs. Gives what still did when patience ended. */
export async function drain(place: ClosingPlace, bus: ClosingBus): Promise<string | undefined> {
  await bus.schedules.remove(SCHEDULE)
  await bus.ready()
  let waiting = ''
  const isBusy = async () => {
    const stats = await Promise.all(TOPICS.map((topic) => bus.internal().topic(topic).stats()))
    waiting = JSON.stringify(stats)
    return stats.some(
      ({ scheduled, outbox, groups }) =>
        scheduled + outbox > 0 ||
        Object.values(groups).some(({ ready, inFlight, retrying, held }) => ready + inFlight + retrying + held > 0),
    )
  }
  // Twice: what is on its way from one topic to the other may be in neither when they are looked at one after the other.
  const idle = async () => ((await isBusy()) || (await isBusy()) ? undefined : true)
  try {
    await eventually(watched(place), 'everything to be handled', idle, DRAIN_MS)
    return undefined
  } catch {
    return `not everything was handled: ${waiting}`
  }
}

/** Records where each message is that is still there. */
export async function takeStock(bus: ClosingBus, recorder: Recorder): Promise<void> {
  for (const { topic, group } of SUBSCRIPTIONS) {
    const stats = await bus.topic(topic).group(group).stats()
    for (const place of PLACES) {
      const names: string[] = []
      const errors: string[] = []
      for (let cursor: string | undefined; ; ) {
        const options = { limit: 1000, ...(cursor !== undefined && { cursor }) }
        const page =
          place === 'dead'
            ? await bus.topic(topic).group(group).deadLetters(options)
            : await bus
                .topic(topic)
                .group(group)
                .peek({ state: place, ...options })
        for (const item of page.items) {
          names.push((item.body as Partial<Body> | null)?.name ?? item.id)
          if ('error' in item) errors.push(item.error.message)
        }
        cursor = page.cursor
        if (cursor === undefined) break
      }
      if (stats[place] > 0 || names.length > 0)
        recorder.add({ e: 'stored', topic, group, place, count: stats[place], names, errors })
    }
  }
}

/** Message and record of each, as docs/data-model.md has it. */
async function failuresOf({ redis, namespace }: ClosingPlace): Promise<string[]> {
  const keys = await redis.keys(`${namespace}:{${FLOW}}:*:failures`)
  const all = await Promise.all(keys.map((key) => redis.hgetall(key)))
  return all.flatMap((records) => Object.entries(records).map(([id, record]) => `${id}: ${record}`))
}

/** Records what is wrong with the data, and what would stay for ever. */
export async function lookForRemains(place: ClosingPlace, recorder: Recorder): Promise<void> {
  const note = (error: unknown) => recorder.add({ e: 'left', what: String((error as Error).message ?? error) })
  await expectConsistent(place.redis, place.namespace).catch(note)
  for (const key of await place.redis.keys(`${place.namespace}:{${FLOW}}:x:*`)) {
    // Drafts, those that have ended, and those of which nothing is heard any more.
    if ((await place.redis.ttl(key)) === -1) note(`${key} is kept for ever`)
    const [, flow] = /:x:flow:flow:(.*)$/.exec(key) ?? []
    if (flow !== undefined && (await place.redis.hget(key, 'state')) === 'open')
      recorder.add({ e: 'open', flow, failures: await failuresOf(place) })
  }
  await expectNothingLeft(place.redis, place.site.address, [place.namespace]).catch(note)
}
