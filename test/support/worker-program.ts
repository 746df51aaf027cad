/** The program of a worker process: one bus, one subscription, told over IPC what to do. Started by worker.ts. */
import {
  type BatchContext,
  type ConsumeContext,
  createBus,
  type Message,
  type Plugin,
  type Subscription,
} from '@busway/bus'
import { Cluster, Redis } from 'ioredis'
import { topicsWith } from './partitioned.js'
import { Gate } from './received.js'
import type { Command, Report, WorkerSetup } from './worker-protocol.js'

const setup: WorkerSetup = JSON.parse(process.env.BUSWAY_TEST_WORKER ?? '{}')
/** The test's own, to Redis or to a cluster. */
const connect = (redis: WorkerSetup['redis']): Redis | Cluster =>
  typeof redis === 'object' && 'cluster' in redis ? new Cluster([...redis.cluster]) : new Redis(redis as string)
const report = (what: Report) => void (process.connected && process.send?.(what))
const released = new Gate()
const records = setup.recordTo === undefined ? undefined : connect(setup.redis)
const record = async (what: string) => void (await records?.rpush(setup.recordTo as string, `${what} ${process.pid}`))
const finished = (error: unknown) => {
  report({ event: 'failed', error: String(error) })
  process.exit(1)
}
process.on('uncaughtException', finished)
process.on('unhandledRejection', finished)
// The test that started this process is gone, and so should it be.
process.on('disconnect', () => process.exit(0))

const reporter: Plugin<'reporter'> = {
  name: 'reporter',
  api: 1,
  setup(scope) {
    scope.observe('settled', ({ delivery, outcome, refused }) =>
      report({ event: 'settled', id: delivery.message.id, outcome: outcome.kind, ...(refused && { refused }) }),
    )
  },
}

const bus = createBus({
  service: 'worker',
  redis: setup.redis,
  namespace: setup.namespace,
  logger: false,
  plugins: [reporter],
  ...(setup.partitions === undefined
    ? {}
    : { topics: topicsWith({ partitions: setup.partitions }, setup.topic, setup.outputTopic ?? setup.topic) }),
})
bus.on('error', () => {})

const subscription =
  setup.batch === undefined
    ? consume()
    : bus.consumeBatch(setup.topic, handleBatch, { ...setup.consume, batch: setup.batch })

async function handleBatch(messages: readonly Message[], context: BatchContext): Promise<void> {
  for (const { id, attempt, body } of messages) report({ event: 'started', id, attempt, body })
  const poisoned = messages.some(({ body }) => (body as { poison?: boolean }).poison)
  if (setup.behaviour === 'poison' && poisoned) process.kill(process.pid, 'SIGKILL')
  if (setup.behaviour === 'stage')
    await context.publish(
      setup.outputTopic as string,
      messages.map(({ body }) => body),
    )
  if (messages.some(({ body }) => holds(body))) await released.opened
  else if (setup.workMs) await new Promise((resolve) => setTimeout(resolve, setup.workMs))
}

function consume(): Subscription {
  return bus.consume(setup.topic, handle, setup.consume)
}

async function handle(message: Message, context: ConsumeContext): Promise<unknown> {
  const { id, attempt, body } = message
  if (records) await record(`start ${id}`)
  report({ event: 'started', id, attempt, body })
  context.signal.addEventListener('abort', () =>
    report({ event: 'aborted', id, reason: codeOf(context.signal.reason) }),
  )
  try {
    if (setup.behaviour === 'poison' && (body as { poison?: boolean }).poison) process.kill(process.pid, 'SIGKILL')
    if (setup.behaviour === 'obey' && (body as { hold?: boolean }).hold !== false) await rejected(context.signal)
    else if (holds(body)) await released.opened
    else if (setup.workMs) await new Promise((resolve) => setTimeout(resolve, setup.workMs))
    if (setup.behaviour === 'stage') await context.publish(setup.outputTopic as string, body)
    const result = await resultOf(body)
    if (records) await record(`end ${id}`)
    report({ event: 'ended', id })
    return result
  } catch (error) {
    if (records) await record(`end ${id}`)
    report({ event: 'ended', id, error: codeOf(error) })
    throw error
  }
}

subscription.ready.then(() => report({ event: 'ready' }), finished)

process.on('message', async (command: Command) => {
  if (command.do === 'release') released.open()
  else {
    await bus.close()
    records?.disconnect()
    report({ event: 'closed' })
    process.disconnect()
  }
})

function resultOf(body: unknown): unknown {
  if (setup.behaviour === 'forward') return bus.request(setup.outputTopic as string, body)
  if (setup.behaviour !== 'answer') return undefined
  if ((body as { fail?: boolean }).fail) throw new RangeError('no such fare')
  return { body, by: process.pid }
}

const rejected = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

function holds(body: unknown): boolean {
  if (setup.behaviour === 'answer') return (body as { hold?: boolean }).hold === true
  return (setup.behaviour === 'hold' || setup.behaviour === 'stage') && (body as { hold?: boolean }).hold !== false
}

function codeOf(error: unknown): string {
  return error && typeof error === 'object' && 'code' in error ? String(error.code) : String(error)
}
