/**
 * `bus.flows`. A flow is written as a draft first, and becomes one by the message that starts it: a guard renames the draft in the script that accepts the
 * message. So it is published all or none, of whatever size, and whoever dies before leaves a draft that expires.
 */
import { randomUUID } from 'node:crypto'
import type { Scope } from '@busway/bus'
import type { Step } from './coordinator.js'
import { writeDraft } from './draft.js'
import { COMMIT_HEADER } from './ids.js'
import { invalid, plan } from './plan.js'
import { type Store, TOPIC } from './store.js'
import { readFlow } from './tree.js'
import type { FlowInfo, FlowNode, FlowReceipt, Flows } from './types.js'

export class BusFlows implements Flows {
  readonly #scope: Scope
  readonly #store: Store

  constructor(scope: Scope, store: Store) {
    this.#scope = scope
    this.#store = store
  }

  async publish(root: FlowNode, { id = randomUUID() }: { id?: string } = {}): Promise<FlowReceipt> {
    checkId(id)
    if (typeof root !== 'object' || root === null || !('topic' in root)) throw invalid('flow', 'it should have a topic')
    const planned = plan(root)
    const bus = await this.#scope.started()
    const token = await writeDraft(this.#scope, this.#store, planned)
    const start: Step = { step: 'start', flow: id, from: 0 }
    const { status } = await bus.publish(TOPIC, start, { headers: { [COMMIT_HEADER]: `${id} ${token}` } })
    return { id, status, messages: planned.nodes.length }
  }

  async get(id: string): Promise<FlowInfo | null> {
    checkId(id)
    await this.#scope.started()
    return readFlow(this.#store, id)
  }

  async cancel(id: string): Promise<boolean> {
    checkId(id)
    const bus = await this.#scope.started()
    const [state] = await this.#store.read(id, ['state'])
    if (state !== 'open') return false
    // First what makes it happen, whoever dies; what it will do, this may do as well.
    await bus.publish(TOPIC, { step: 'cancel', flow: id, from: 0, round: 0 } satisfies Step)
    await this.#store.cancel(id)
    return true
  }
}

function checkId(id: unknown): void {
  if (typeof id !== 'string' || !/^[A-Za-z0-9._:-]{1,100}$/.test(id))
    throw invalid('id', 'a flow is called by 1 to 100 of A-Z a-z 0-9 . _ : -')
}
