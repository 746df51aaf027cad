/** Ending what a topic has as a whole: what no group has yet, or all of it. */
import { type DeleteTopicReply, deleteTopic, purgeTopic } from '@busway/lua'
import type { TopicPeekState } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AdminDependencies } from '../seams.js'
import { reporting, STEP } from './steps.js'

/** How long an outbox that does not get shorter is waited for. */
const OUTBOX_MS = 10_000

export async function purgeOfTopic(
  { runner, relayer }: Pick<AdminDependencies, 'runner' | 'relayer'>,
  topic: string,
  state: TopicPeekState,
): Promise<number> {
  let count = 0
  let what: TopicPeekState | undefined = state
  let more = true
  while (more) {
    const request = reporting(STEP, what === undefined ? {} : { what })
    const reply = await runner.runRepeatable(purgeTopic, topic, request)
    count += reply.count
    more = reply.more
    what = undefined
  }
  // What ended may have someone to be told.
  relayer.kick(topic)
  return count
}

/**
 * 1. Takes the topic from sight, unless it is in use.
 * 2. Ends what it had, step by step, and has its outbox relayed.
 * 3. Takes it out of the registry, unless somebody has begun it anew meanwhile.
 *
 * It may die at any point: called again, it goes on there.
 */
export async function deleteWholeTopic(dependencies: AdminDependencies, topic: string, force: boolean): Promise<void> {
  const { runner, relayer, publisher } = dependencies
  const step = (how?: 'unused' | 'force'): Promise<DeleteTopicReply> =>
    runner.runRepeatable(deleteTopic, topic, reporting(STEP, how === undefined ? {} : { how }))
  let reply = await step(force ? 'force' : 'unused')
  let outbox = Number.POSITIVE_INFINITY
  let untilMs = 0
  while (reply.status === 'ok' && (reply.more || reply.outbox > 0)) {
    if (!reply.more) {
      if (reply.outbox < outbox) untilMs = performance.now() + OUTBOX_MS
      else if (performance.now() > untilMs) throw stuck(topic, reply.outbox)
      outbox = reply.outbox
      await relayer.relayed(topic)
    }
    reply = await step()
  }
  if (reply.status === 'in use') throw inUse(topic, reply)
  if (reply.isThere) return
  await publisher.unregisterTopic(topic)
  const after = await step()
  // Whoever begins a topic anew registers it; that may have been just before.
  if (after.status === 'ok' && after.isThere) await publisher.ensureTopic(topic)
}

function inUse(topic: string, { consumers, messages, outbox }: DeleteTopicReply & { status: 'in use' }): BuswayError {
  const has = [
    some(consumers, 'live consumer', 'live consumers'),
    some(messages, 'message that is not handled', 'messages that are not handled'),
    some(outbox, 'entry of its outbox under way', 'entries of its outbox under way'),
  ].filter((text) => text !== '')
  return new BuswayError(
    'TOPIC_IN_USE',
    `${topic} has ${has.join(', ')}. Close its consumers, let its messages be handled or purge them, and delete it then; or end all of it unhandled: delete({ force: true }).`,
    { details: { consumers, messages, outbox } },
  )
}

const some = (count: number, one: string, many: string): string =>
  count === 0 ? '' : `${count} ${count === 1 ? one : many}`

/** Its keys stay, so that nothing is lost of what was to be told. */
const stuck = (topic: string, outbox: number): BuswayError =>
  new BuswayError(
    'TOPIC_IN_USE',
    `All messages of ${topic} are gone, but ${some(outbox, 'entry of its outbox is', 'entries of its outbox are')} not taken by the destination; the log says why. Delete it again when that is settled.`,
    { details: { consumers: 0, messages: 0, outbox } },
  )
