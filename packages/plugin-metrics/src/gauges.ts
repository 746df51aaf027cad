/** The state of queues, read from Redis at each collection: all topics in one go. */
import type { GroupStats, Scope, TopicStats } from '@busway/bus'
import type { BatchObservableCallback, Meter, ObservableGauge } from '@opentelemetry/api'
import type { Labels } from './labels.js'
import type { Settings } from './options.js'

/** A collection does not wait longer for Redis; it is without gauges then. */
const PATIENCE_MS = 2_000

type Stats = Record<string, TopicStats>

/** Observed between `ready` and `close`. */
export function observeQueues(scope: Scope, meter: Meter, labels: Labels, gauges: Settings['gauges']): void {
  if (gauges === false) return
  const { ofGroups, ofTopics } = create(meter)
  const instruments = [...ofGroups, ...ofTopics].map(({ gauge }) => gauge)
  const read = shared(reader(scope, labels, gauges))
  const observe: BatchObservableCallback = async (result) => {
    for (const [topic, stats] of Object.entries(await read())) {
      for (const { gauge, of } of ofTopics) result.observe(gauge, of(stats), labels.of(topic))
      for (const [group, ofGroup] of Object.entries(stats.groups))
        for (const { gauge, of } of ofGroups) result.observe(gauge, of(ofGroup), labels.of(topic, group))
    }
  }
  scope.ready(() => meter.addBatchObservableCallback(observe, instruments))
  scope.close(() => meter.removeBatchObservableCallback(observe, instruments))
}

interface Gauge<S> {
  readonly gauge: ObservableGauge
  readonly of: (stats: S) => number
}

function create(meter: Meter) {
  const ofGroups: Gauge<GroupStats>[] = []
  const ofTopics: Gauge<TopicStats>[] = []
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(name, { unit, description })
  const group = (name: string, description: string, of: (stats: GroupStats) => number, unit = '{message}') =>
    ofGroups.push({ gauge: gauge(`busway.group.${name}`, unit, description), of })
  const topic = (name: string, description: string, of: (stats: TopicStats) => number) =>
    ofTopics.push({ gauge: gauge(`busway.topic.${name}`, '{message}', description), of })

  group('ready', 'Messages that wait to be taken', ({ ready }) => ready)
  group('in_flight', 'Messages that consumers have', ({ inFlight }) => inFlight)
  group('retrying', 'Messages that wait for their next attempt', ({ retrying }) => retrying)
  group('held', 'Messages that wait behind another one of their key', ({ held }) => held)
  group('dead', 'Dead letters', ({ dead }) => dead)
  group('oldest.age', 'Age of the message that waits longest', ({ oldestReadyMs }) => oldestReadyMs / 1000, 's')
  group('consumers', 'Live consumers, over all processes', ({ consumers }) => consumers, '{consumer}')
  group('paused', 'Whether the group is paused: 1 or 0', ({ paused }) => Number(paused), '1')
  topic('scheduled', 'Messages that are not due yet', ({ scheduled }) => scheduled)
  topic('unclaimed', 'Messages published before there was any group', ({ unclaimed }) => unclaimed)
  topic('outbox', 'Messages that handlers published, on the way to their topics', ({ outbox }) => outbox)
  return { ofGroups, ofTopics }
}

/** Never rejects, and answers nothing for what Redis does not answer in time. */
function reader(scope: Scope, labels: Labels, gauges: Settings['gauges']): () => Promise<Stats> {
  let isFailing = false
  const failed = (error: unknown): Stats => {
    if (!isFailing)
      scope.log.warn({ err: error }, 'The state of the queues could not be read: it is missing in the metrics')
    isFailing = true
    return {}
  }
  const read = async (): Promise<Stats> => {
    const wanted = gauges === 'own' ? labels.topics() : gauges === 'all' ? (await scope.bus.topics()).sort() : gauges
    const topics = Array.isArray(wanted) ? wanted.filter((topic) => labels.tellsApart(topic)) : []
    const stats = topics.length === 0 ? {} : await scope.stats(topics)
    isFailing = false
    return stats
  }
  return () => inTime(read()).catch(failed)
}

async function inTime<T>(pending: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([pending, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Collections at the same time, of several readers say, share what is read. */
function shared(read: () => Promise<Stats>): () => Promise<Stats> {
  let pending: Promise<Stats> | undefined
  return () => {
    pending ??= read().finally(() => {
      pending = undefined
    })
    return pending
  }
}
