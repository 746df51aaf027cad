import { range } from '../codec.js'
import type { FetchedRange, Script, SeenRequest } from '../contract.js'

const PUSH = /^\S+ (\S+) push (\d+) (.+)$/s

/**
 * Reads a wake-up that brings a message, see lib/push.lua: the session that it is leased to, and the lease. `undefined` for one that does not.
 * `text`: up to the line feed; `value`: what follows.
 */
export function readPush(
  text: string,
  value: Buffer | undefined,
): { session: string; range: FetchedRange } | undefined {
  const [, session, lease, place] = value === undefined ? [] : (PUSH.exec(text) ?? [])
  if (session === undefined || value === undefined) return undefined
  return { session, range: { lease: Number(lease), ...range(place), value } }
}

/** The session has it, and begins. */
export const seen: Script<SeenRequest, void> = {
  name: 'seen',
  args: ({ group, session, lease }) => [group, session, lease],
  reply: () => undefined,
}
