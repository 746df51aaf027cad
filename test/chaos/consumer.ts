/** The consumers of one process: what their handlers do with a message, all of it recorded. */
import { type ConsumeContext, type Events, type Message, UnrecoverableError } from '@busway/bus'
import type { FlowContext, FlowWait } from '@busway/plugin-flow'
import { adderOf, addition, afterwards, asNode, REPORTS } from './flows.js'
import type { EntryOf } from './history.js'
import type { Place, Role } from './process-main.js'
import { type Body, CONSUME, SUBSCRIPTIONS, type Subscription } from './workload.js'

const SLOW_MS = 150

type Joined = EntryOf<'joined'>['children']

interface Consuming extends Role {
  /** To be told what became of each delivery. */
  settled(event: Events['settled']): void
}

export function startConsuming({ bus, recorder, setup }: Place): Consuming {
  const runs = new Map<string, string>()
  let count = 0
  let isSlow = false

  const handle = async (message: Message, context: ConsumeContext, { stages, givesUp }: Subscription) => {
    const { plan = 'ok', keySeq, ...body } = (message.body ?? {}) as Partial<Body>
    const children = await childrenOf(message, context)
    const adder = adderOf(children)
    const name = adder === undefined ? (body.name ?? message.id) : afterwards(adder)
    const { topic, key, attempt, id } = message
    const { group } = context
    const run = `${setup.process}/${count++}`
    runs.set(placeOf(topic, group, id), run)
    const order = key === undefined || keySeq === undefined ? {} : { key, keySeq }
    recorder.add({ e: 'started', run, name, topic, group, attempt, ...order })
    if (children.length > 0) recorder.add({ e: 'joined', run, children })
    if (plan === 'poison') process.kill(process.pid, 'SIGKILL')
    if (plan === 'slow' || isSlow) await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
    if (plan === 'dead' && givesUp) {
      recorder.add({ e: 'ended', run, how: 'dead' })
      throw new UnrecoverableError('planned')
    }
    if (stages !== undefined)
      for (const part of ['a', 'b']) {
        const staged = { name: `${run}/${part}`, plan: 'ok' } as const
        await context.publish(stages, staged)
        recorder.add({ e: 'staged', run, name: staged.name, topic: stages })
      }
    if (plan === 'retry' && attempt === 1) {
      recorder.add({ e: 'ended', run, how: 'retry' })
      throw new Error('planned')
    }
    const wait = plan === 'more' && adder === undefined ? await addChild(run, children, context) : undefined
    recorder.add({ e: 'ended', run, how: 'done' })
    return wait ?? { by: run }
  }

  /** It exists, and what the message becomes with it, exactly if the run's settle is accepted. */
  const addChild = async (run: string, children: Joined, context: ConsumeContext): Promise<FlowWait> => {
    const added = addition(run)
    const again = afterwards(run)
    try {
      const wait = await flowOf(context).waitFor([asNode(added) as never])
      const all = [...children.map((child) => child.name), added.name]
      recorder.add({ e: 'joins', name: again, children: all, policy: 'continue' })
      recorder.add({ e: 'staged', run, name: added.name, topic: added.topic })
      recorder.add({ e: 'staged', run, name: again, topic: REPORTS })
      return wait
    } catch (error) {
      recorder.add({ e: 'ended', run, how: 'retry' })
      throw error
    }
  }

  const subscriptions = SUBSCRIPTIONS.map((subscription) => {
    const { topic, group, options } = subscription
    return bus.consume(topic, (message, context) => handle(message, context, subscription), {
      ...CONSUME,
      ...options,
      group,
    })
  })
  return {
    ready: Promise.all(subscriptions.map(({ ready }) => ready)),
    async stop() {},
    slow(slow) {
      isSlow = slow
    },
    settled({ delivery: { message, group }, outcome, refused, unanswered }) {
      const run = runs.get(placeOf(message.topic, group, message.id))
      // Whether it was settled is told by nobody, as if the process had ended.
      if (run === undefined || unanswered) return
      recorder.add({ e: 'settled', run, outcome: outcome.kind, refused: refused !== undefined })
    },
  }
}

const flowOf = (context: ConsumeContext) => context as unknown as FlowContext

/** What a parent is told. Handlers return which run they are. */
async function childrenOf({ topic }: Message, context: ConsumeContext): Promise<Joined> {
  if (topic !== REPORTS) return []
  const children = await flowOf(context).children()
  return children.map(({ name = '', outcome, result }) => {
    const { by } = (result ?? {}) as { by?: string }
    return { name, outcome, ...(by !== undefined && { by }) }
  })
}

const placeOf = (topic: string, group: string, id: string) => `${topic} ${group} ${id}`
