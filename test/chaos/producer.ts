/** The publishes of one process, some of them at once, all of them recorded. */
import type { Receipt } from '@busway/bus'
import type { Flows } from '@busway/plugin-flow'
import { asNode, flows, nodesOf } from './flows.js'
import type { PublishOutcome } from './history.js'
import type { Place, Role } from './process-main.js'
import { seeded } from './random.js'
import { BATCH, ORDERS, plain, publications, SCHEDULE, TICKS } from './workload.js'

const AT_ONCE = 10
/** Between two waves. */
const PAUSE_MS = 40
/** Waves, of which one has a flow as well. */
const FLOW_ONE_IN = 4

export function startProducing({ bus, recorder, setup }: Place): Role {
  const random = seeded(setup.seed)
  const next = publications(setup.process, random)
  const nextFlow = flows(setup.process, seeded(setup.seed))
  let over = false

  const publishOne = async () => {
    const { body, options } = next()
    const key = options.key as string | undefined
    const order = key === undefined ? {} : { key, keySeq: body.keySeq as number }
    recorder.add({ e: 'publishing', name: body.name, topic: ORDERS, ...order })
    const { status, code } = await outcomeOf(bus.publish(ORDERS, body as never, options))
    recorder.add({ e: 'published', name: body.name, outcome: status, ...code })
  }
  let batches = 0
  const publishBatch = async () => {
    const batch = `${setup.process}:batch-${batches++}`
    const bodies = Array.from({ length: BATCH }, (_, i) => plain(`${batch}:${i}`))
    for (const { name } of bodies) recorder.add({ e: 'publishing', name, topic: ORDERS, batch })
    const publishing = bus.publishBatch(
      ORDERS,
      bodies.map((body) => ({ body: body as never })),
    )
    const { status, code } = await outcomeOf(publishing.then(([first]) => first as Receipt))
    for (const { name } of bodies) recorder.add({ e: 'published', name, outcome: status, ...code })
  }
  const publishFlow = async () => {
    const root = nextFlow()
    const nodes = nodesOf(root)
    for (const { name, topic, children, onChildFailure: policy } of nodes) {
      // Those without children are published together.
      recorder.add({ e: 'publishing', name, topic, ...(children.length === 0 && { batch: root.name }) })
      if (children.length > 0) recorder.add({ e: 'joins', name, children: children.map((child) => child.name), policy })
    }
    const { flows } = bus as unknown as { flows: Flows }
    const { status, code } = await outcomeOf(flows.publish(asNode(root) as never, { id: root.name }))
    for (const { name } of nodes) recorder.add({ e: 'published', name, outcome: status, ...code })
  }
  const produce = async () => {
    while (!over) {
      await Promise.all([
        publishBatch(),
        ...(random.oneIn(FLOW_ONE_IN) ? [publishFlow()] : []),
        ...Array.from({ length: AT_ONCE }, publishOne),
      ])
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  const schedule = async () => {
    recorder.add({ e: 'scheduled', schedule: SCHEDULE, topic: TICKS })
    const { schedules } = bus as unknown as { schedules: { upsert(id: string, what: object): Promise<unknown> } }
    await schedules.upsert(SCHEDULE, { topic: TICKS, body: {}, every: '200ms' })
  }
  let producing = Promise.resolve()
  return {
    ready: schedule().then(() => {
      producing = produce()
    }),
    async stop() {
      over = true
      await producing
    },
    slow() {},
  }
}

interface Outcome {
  readonly status: PublishOutcome
  readonly code?: { readonly code: string }
}

async function outcomeOf(publishing: Promise<Pick<Receipt, 'status'>>): Promise<Outcome> {
  try {
    return { status: (await publishing).status === 'accepted' ? 'ok' : 'duplicate' }
  } catch (error) {
    const { code } = error as { code: string }
    return { status: code === 'PUBLISH_UNKNOWN' ? 'unknown' : 'failed', code: { code } }
  }
}
