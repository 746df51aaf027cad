/** Ending what a topic has as a whole: what no group has yet, or all of it. */
import { type DeleteTopicReply, declare, deleteTopic, purgeTopic } from '@busway/lua'
import type { TopicPeekState } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AdminDependencies, Publisher } from '../seams.js'
import { readStats } from './stats.js'
import { reporting, STEP } from './steps.js'
import { sum, sumOfTopics } from './sums.js'

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
 * 1. Takes the topic from sight, unless it is in use; if it has partitions, one after the other.
 * 2. Ends what it had, step by step, and has its outbox relayed.
 * 3. Takes it out of the registry, unless somebody has begun it anew meanwhile.
 *
 * It may die at any point: called again, it goes on there. `places`: the topic, or its partitions.
 */
export async function deleteWholeTopic(
  publisher: Pick<Publisher, 'ensureTopic' | 'unregisterTopic'>,
  topic: string,
  places: readonly AdminDependencies[],
  force: boolean,
): Promise<void> {
  // Redis says so itself where there is one place.
  const groups = places.length > 1 && !force ? await groupsOfUnused(topic, places) : []
  let isThere = false
  for (const [i, place] of places.entries()) {
    try {
      if (await emptied(place, topic, force)) isThere = true
    } catch (error) {
      if (i > 0) await remade(topic, places.slice(0, i), groups)
      throw error
    }
  }
  if (isThere) return
  await publisher.unregisterTopic(topic)
  const after = await Promise.all(places.map((place) => step(place, topic)))
  // Whoever begins a topic anew registers it; that may have been just before.
  if (after.some((reply) => reply.status === 'ok' && reply.isThere)) await publisher.ensureTopic(topic, places.length)
}

const step = ({ runner }: AdminDependencies, topic: string, how?: 'unused' | 'force'): Promise<DeleteTopicReply> =>
  runner.runRepeatable(deleteTopic, topic, reporting(STEP, how === undefined ? {} : { how }))

/** Resolves with whether somebody has begun it anew. Rejects with TOPIC_IN_USE. */
async function emptied(place: AdminDependencies, topic: string, force: boolean): Promise<boolean> {
  let reply = await step(place, topic, force ? 'force' : 'unused')
  let outbox = Number.POSITIVE_INFINITY
  let untilMs = 0
  while (reply.status === 'ok' && (reply.more || reply.outbox > 0)) {
    if (!reply.more) {
      if (reply.outbox < outbox) untilMs = performance.now() + OUTBOX_MS
      else if (performance.now() > untilMs) throw stuck(topic, reply.outbox)
      outbox = reply.outbox
      await place.relayer.relayed(topic)
    }
    reply = await step(place, topic)
  }
  if (reply.status === 'in use') throw inUse(topic, reply)
  return reply.isThere
}

/** No step in Redis reaches over several partitions: it is looked at before any is deleted whether all are unused. Rejects with TOPIC_IN_USE. */
async function groupsOfUnused(topic: string, places: readonly AdminDependencies[]): Promise<string[]> {
  const all = await Promise.all(places.map(async (place) => (await readStats(place, topic)).stats))
  const { scheduled, unclaimed, outbox, groups } = sumOfTopics(all)
  const each = Object.values(groups)
  const consumers = sum(each, (group) => group.consumers)
  const ofGroups = sum(each, ({ ready, inFlight, retrying, held }) => ready + inFlight + retrying + held)
  const messages = scheduled + unclaimed + ofGroups
  if (consumers + messages + outbox > 0) throw inUse(topic, { status: 'in use', consumers, messages, outbox })
  return Object.keys(groups)
}

/** Somebody has begun to use a partition while others were deleted already, empty: those are made again, with the groups that they had. */
async function remade(topic: string, deleted: readonly AdminDependencies[], groups: readonly string[]): Promise<void> {
  await Promise.all(deleted.map(({ runner }) => runner.runRepeatable(declare, topic, { groups })))
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
