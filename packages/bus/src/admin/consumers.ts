/** Who consumes: sessions with what they said of themselves when they opened. */
import { type ConsumersReply, consumers } from '@busway/lua'
import type { ConsumerIdentity, ConsumerInfo, Page } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { invalidOption } from '../validate/options.js'
import type { PageRequest } from './pages.js'

/** A session's id, after which the next page begins. */
const CURSOR = /^[\w~-]{1,100}$/

export async function consumersPage(
  { runner }: Pick<AdminDependencies, 'runner'>,
  topic: string,
  group: string,
  { limit, cursor }: PageRequest,
): Promise<Page<ConsumerInfo>> {
  if (cursor !== undefined && !CURSOR.test(cursor))
    throw invalidOption('cursor', cursor, 'the cursor of a page of consumers, as it was given')
  let after = cursor
  let reply: ConsumersReply
  do {
    reply = await runner.runRepeatable(consumers, topic, { group, limit, ...(after === undefined ? {} : { after }) })
    after = reply.after
  } while (reply.items.length === 0 && after !== undefined)
  const items = reply.items.map(({ session, info, leaseEndsAtMs, closing, inFlight, running }): ConsumerInfo => {
    const since = new Date(String(stated(info).since ?? ''))
    return {
      ...consumerIdentity(session, info),
      ...(Number.isNaN(since.getTime()) ? {} : { since }),
      leaseEndsAt: new Date(leaseEndsAtMs),
      closing,
      inFlight,
      running,
    }
  })
  return after === undefined ? { items } : { items, cursor: after }
}

/** As much as a session said, in the shape that was agreed on. */
export function consumerIdentity(id: string, info: string): ConsumerIdentity {
  const { service, host, pid } = stated(info)
  return {
    id,
    ...(typeof service === 'string' ? { service } : {}),
    ...(typeof host === 'string' ? { host } : {}),
    ...(typeof pid === 'number' ? { pid } : {}),
  }
}

function stated(info: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(info)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
