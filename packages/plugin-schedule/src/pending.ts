/** The next time of a schedule: a delayed message on the plugin's topic, one at a time for each. */
import type { Scope } from '@busway/bus'
import type { Definition } from './definition.js'
import { TOPIC } from './store.js'

export interface Pending {
  readonly id: string
  /** Of the definition that it belongs to. */
  readonly token: string
  readonly dueMs: number
  /** Times that were published before it. */
  readonly fired: number
}

/** Publishing twice under one id is publishing once. */
export const pendingId = ({ token, dueMs }: Pick<Pending, 'token' | 'dueMs'>): string => `${token}:${dueMs}`

/** One schedule's times are fired one after the other. */
export const pendingOptions = (pending: Pending) => ({
  id: pendingId(pending),
  key: pending.id,
  deliverAt: new Date(pending.dueMs),
})

export async function publishPending(scope: Scope, pending: Pending): Promise<void> {
  await scope.bus.publish(TOPIC, pending, pendingOptions(pending))
}

/** What is stale ends by itself when it is due; this only clears it away before. */
export async function cancelPending(scope: Scope, { token, nextMs }: Definition): Promise<void> {
  if (nextMs === undefined) return
  try {
    await scope.bus.topic(TOPIC).cancel(pendingId({ token, dueMs: nextMs }))
  } catch (error) {
    scope.log.debug({ err: error }, 'A stale time of a schedule was not cleared away; it has no effect')
  }
}
