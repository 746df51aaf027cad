/** What handlers of a flow's messages have: the ends of their children, and a way to add children. */
import { BuswayError, type Delivery, type Scope } from '@busway/bus'
import { writeDraft } from './draft.js'
import { type Address, additionOf, addressOf, messageId } from './ids.js'
import { plan } from './plan.js'
import type { Store } from './store.js'
import { errorOf, type NodeRecord, readNodes } from './tree.js'
import type { FailurePolicy, FlowChild, FlowContext, FlowNode, FlowWait } from './types.js'

/** Ids of messages have 200 characters at most, and each addition makes them longer. */
const LONGEST = 180

export function childrenOf(store: Store, { message }: Delivery): FlowContext['children'] {
  return async () => {
    const address = addressOf(message.id, message.headers)
    if (address === undefined) return []
    const { flow, node, run } = address
    const own = await directChildren(store, flow, node)
    for (let added = 1; added < run; added++) {
      const addition = additionOf(flow, node, added)
      const [root] = await store.read(addition, ['root'])
      if (root !== undefined) own.push(...(await directChildren(store, addition, Number(root))))
    }
    return own
  }
}

async function directChildren(store: Store, flow: string, node: number): Promise<FlowChild[]> {
  const [definition] = await store.read(flow, [`d${node}`])
  if (definition === undefined)
    throw new BuswayError(
      'UNKNOWN_MESSAGE',
      `ctx.children: the flow ${flow} is not there any more. It ended longer ago than \`keep\`, was abandoned, or Redis was rolled back; what its children gave is gone.`,
    )
  const children = await readNodes(store, flow, JSON.parse(definition).children)
  return children.map((child) => childOf(flow, child))
}

/** In these a message counts as ended for those that wait for it. */
const ENDED = ['d', 'f', 'q', 'x']

function childOf(flow: string, record: NodeRecord): FlowChild {
  const { node, run, definition, state, results } = record
  if (!ENDED.includes(state))
    throw new BuswayError(
      'LEASE_LOST',
      `ctx.children: ${messageId(flow, node, run)} has not ended, though this message waits for it: Redis was rolled back since (a failover, or a restart that lost a moment). What this run gives is refused, and the message comes again when its children have ended.`,
    )
  const error = state === 'd' ? undefined : errorOf(record)
  const result = results.find((end) => end.outcome === 'done')?.result
  return {
    id: messageId(flow, node, run),
    topic: definition.topic ?? '',
    ...(definition.name === undefined ? {} : { name: definition.name }),
    outcome: state === 'd' ? 'done' : 'failed',
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    results,
  }
}

export function waitsFor(scope: Scope, store: Store, { message }: Delivery): FlowContext['waitFor'] {
  return async (children: readonly FlowNode[], { onChildFailure }: { onChildFailure?: FailurePolicy } = {}) => {
    const address = addressOf(message.id, message.headers)
    if (address === undefined) throw refused('this message is of no flow. Publish it with bus.flows.publish')
    if (!Array.isArray(children) || children.length === 0) throw refused('give an array of at least one node')
    checkDepth(address)
    const planned = plan({ children, ...(onChildFailure === undefined ? {} : { onChildFailure }) })
    return { 'busway.flow': await writeDraft(scope, store, planned) } satisfies FlowWait
  }
}

function checkDepth({ flow, node, run }: Address): void {
  if (additionOf(flow, node, run).length > LONGEST)
    throw refused('children of children of handlers have been added too often: their names would be too long')
}

const refused = (what: string): BuswayError => new BuswayError('INVALID_OPTIONS', `ctx.waitFor: ${what}.`)
