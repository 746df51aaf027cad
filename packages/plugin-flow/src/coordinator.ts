/**
 * The coordinator: the consumer of `$flow`.
 *
 * It is told of ends by the messages themselves (`reportTo`), so no process that handles them needs the plugin. Each step is one script, and what it asks for
 * is published with the settle of what caused it: exactly once, across slots by the outbox. Steps of one flow may run at the same time, in any process: a
 * step is atomic, and what it made ready is its own. So ends of a flow need no turn of their own, and 10,000 children are not handled one by one.
 */
import {
  type ConsumeContext,
  type Duration,
  EncodedBody,
  type Message,
  type Report,
  type Scope,
  type Subscription,
} from '@busway/bus'
import { JSON_TYPE, type StoredDefinition } from './draft.js'
import { additionOf, COMMIT_HEADER, FLOW_HEADER, messageId, parseId } from './ids.js'
import { type Action, type End, type Store, TOPIC } from './store.js'

const GROUP = 'flow'
/** Messages that are published with one settle. */
const STARTED = 100
/** A flow must not stop because Redis was away for a day. */
const RETRY = { attempts: 1_000_000, delay: '1s', maxDelay: '1m' } as const
const CANCELLED = 100
/** What a cancel did not find may be on its way to its topic. */
const CANCEL_AGAIN = [500, 5_000]

/** What the coordinator tells itself. */
export type Step =
  | { readonly step: 'start'; readonly flow: string; readonly from: number }
  | { readonly step: 'ended'; readonly end: End }
  | { readonly step: 'resume'; readonly flow: string; readonly node: number; readonly run: number }
  | { readonly step: 'cancel'; readonly flow: string; readonly from: number; readonly round: number }

export interface CoordinatorOptions {
  readonly concurrency: number
  readonly lease: Duration
}

export function coordinate(scope: Scope, store: Store, options: CoordinatorOptions): Subscription {
  const coordinator = new Coordinator(scope, store)
  return scope.bus.consume(TOPIC, (message, context) => coordinator.handle(message, context), {
    group: GROUP,
    ...options,
    retry: RETRY,
  })
}

class Coordinator {
  readonly #scope: Scope
  readonly #store: Store

  constructor(scope: Scope, store: Store) {
    this.#scope = scope
    this.#store = store
  }

  async handle({ type, body, headers }: Message, context: ConsumeContext): Promise<void> {
    if (type === 'busway.report') {
      const end = endOf(body as Report)
      if (end !== undefined) await this.#ended(end, context)
      return
    }
    const step = body as Step
    switch (step.step) {
      case 'start': {
        const { flow, from } = step
        const carried = JSON.stringify(carriedBy(headers))
        const actions = await this.#store.start(flow, from, STARTED, carried)
        return this.#act(actions, flow, context, (next) => ({ ...step, from: next }))
      }
      case 'ended':
        return this.#ended(step.end, context)
      case 'resume':
        return this.#act(await this.#store.resumed(step.flow, step.node, step.run), step.flow, context)
      case 'cancel':
        return this.#cancel(step, context)
    }
  }

  async #ended(end: End, context: ConsumeContext): Promise<void> {
    const actions = await this.#store.ended(end)
    return this.#act(actions, end.flow, context, (from) => ({ step: 'ended', end: { ...end, from } }))
  }

  async #act(
    actions: readonly Action[],
    flow: string,
    context: ConsumeContext,
    more?: (from: number) => Step,
  ): Promise<void> {
    const tell = (step: Step): Promise<void> => context.publish(TOPIC, step)
    const ownEnd = (node: number, verdict: End['verdict'], json = ''): Step => ({
      step: 'ended',
      end: { flow, node, run: 0, group: '', last: true, verdict, json, from: 0, draft: '' },
    })
    await Promise.all(
      actions.map(async (action) => {
        switch (action.kind) {
          case 'publish': {
            const definition = JSON.parse(action.definition) as StoredDefinition
            if (definition.topic === undefined) return tell(ownEnd(action.node, 'done'))
            return this.#publish(flow, action, { ...definition, topic: definition.topic }, context)
          }
          case 'failed': {
            const [error = ''] = await this.#store.read(flow, [`e${action.node}`])
            return tell(ownEnd(action.node, 'gone', error))
          }
          case 'start':
            return tell({ step: 'start', flow: action.flow, from: 0 })
          case 'up': {
            const [to = '', node, run] = action.to.split(' ')
            if (action.isDone) return tell({ step: 'resume', flow: to, node: Number(node), run: Number(run) })
            const error = { name: 'FlowError', message: `What its handler added has failed: ${flow}` }
            const failed = { flow: to, node: Number(node), run: 0, group: '', last: true, from: 0, draft: '' }
            return tell({ step: 'ended', end: { ...failed, verdict: 'gone', json: JSON.stringify(error) } })
          }
          case 'more':
            return more === undefined ? undefined : tell(more(action.from))
        }
      }),
    )
  }

  #publish(
    flow: string,
    { node, run, body, headers }: Extract<Action, { kind: 'publish' }>,
    { topic, contentType, options }: StoredDefinition & { topic: string },
    context: ConsumeContext,
  ): Promise<void> {
    const bytes = Buffer.from(body, contentType === JSON_TYPE ? 'utf8' : 'base64')
    return context.publish(topic, new EncodedBody(bytes, contentType), {
      ...options,
      id: messageId(flow, node, run),
      headers: { ...carriedIn(headers), ...options.headers, [FLOW_HEADER]: `${flow} ${node} ${run}` },
    })
  }

  async #cancel(step: Extract<Step, { step: 'cancel' }>, context: ConsumeContext): Promise<void> {
    const { flow, from, round } = step
    await this.#store.cancel(flow)
    const [root] = await this.#store.read(flow, ['root'])
    if (root === undefined) return
    const nodes = Array.from({ length: Math.max(0, Math.min(CANCELLED, Number(root) + 1 - from)) }, (_, i) => from + i)
    if (nodes.length === 0) return
    const found = await this.#store.read(
      flow,
      nodes.flatMap((node) => [`s${node}`, `q${node}`, `d${node}`]),
    )
    let isOpen = false
    await Promise.all(
      nodes.map(async (node, i) => {
        const [state, run = '1', definition] = found.slice(i * 3, i * 3 + 3)
        if (state === 'w') {
          const added = additionOf(flow, node, Number(run))
          await context.publish(TOPIC, { step: 'cancel', flow: added, from: 0, round: 0 } satisfies Step)
        }
        if (state !== 'r' || definition === undefined) return
        const { topic } = JSON.parse(definition) as StoredDefinition
        if (topic === undefined) return
        const cancelled = await this.#scope.bus
          .topic(topic)
          .cancel(messageId(flow, node, Number(run)), { inFlight: true })
        if (!cancelled) isOpen = true
      }),
    )
    if (from + nodes.length <= Number(root)) await context.publish(TOPIC, { ...step, from: from + nodes.length })
    const delay = CANCEL_AGAIN[round]
    if (isOpen && delay !== undefined) {
      await context.publish(TOPIC, { ...step, round: round + 1 } satisfies Step, { delay })
    }
  }
}

/**
 * What plugins of the publisher have put on the message that starts a flow goes on with each of its messages: the context of its trace above all, since
 * reports, which are made in Redis, have none.
 */
function carriedBy({ [COMMIT_HEADER]: _, ...headers }: Message['headers']): Message['headers'] {
  return headers
}

const carriedIn = (json: string): Message['headers'] => (json === '' ? {} : JSON.parse(json))

function endOf({ id, group = '', last, outcome, result, error }: Report): End | undefined {
  const address = parseId(id)
  if (address === undefined) return undefined
  const draft = (result as { 'busway.flow'?: unknown } | undefined | null)?.['busway.flow']
  return {
    ...address,
    group,
    last,
    verdict: outcome === 'done' ? 'done' : outcome === 'dead' ? 'dead' : 'gone',
    json: JSON.stringify({ group, outcome, result, error }),
    from: 0,
    draft: typeof draft === 'string' ? draft : '',
  }
}
