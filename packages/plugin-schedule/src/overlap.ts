/** Whether what a schedule published last has not been ended by all groups. */
import type { Scope } from '@busway/bus'

/** For so long the end of a message is kept (`keepResult`), and so long it may take on its way to its topic. */
const KNOWN_MS = 60_000

export async function isRunning(scope: Scope, topic: string, id: string, sinceMs: number): Promise<boolean> {
  const admin = scope.bus.topic(topic)
  const info = await admin.message(id)
  if (info !== null) {
    const states = Object.values(info.groups).map(({ state }) => state)
    return states.length === 0 || states.some((state) => state !== 'done' && state !== 'dead')
  }
  if (sinceMs > KNOWN_MS) return false
  // It has ended, or has not come there yet.
  return admin.settled(id, { timeout: 1_000 }).then(
    () => false,
    (error) => (error as { code?: unknown }).code === 'UNKNOWN_MESSAGE',
  )
}
