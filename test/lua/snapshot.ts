/** Reads everything that a namespace keeps in Redis, in one script so that it is one moment, and names its parts as docs/data-model.md does. */
import type { Redis } from 'ioredis'
import { type Mark, parseMark } from './marks.js'

/** Messages `from` .. `from + count - 1` of a batch of `total`. */
export interface Range {
  readonly from: number
  readonly count: number
  readonly total: number
  readonly batch: string
  /** Its messages may have been run before. */
  readonly again: boolean
  /** Absent: 0. */
  readonly priority?: number
  readonly key?: string
  /** Of the messages of its batch, or one that all have. In a list it is unsorted. */
  readonly listed?: readonly string[]
  /** Tells it from others of its name, see docs/data-model.md. */
  readonly place?: number
}
export interface Scored<T> {
  readonly member: T
  readonly score: number
}
export interface Sequenced {
  readonly seq: string
  /** It goes to the front when it is due. */
  readonly front?: boolean
  /** It joins the line of its key when it is due, as one that was never out. */
  readonly joins?: boolean
  readonly range: Range
}
export interface Failure {
  readonly attempts: number
  readonly crashes: number
  readonly reason: string
  readonly error: string
}
export interface LeasedRange extends Range {
  /** When it was leased; undefined if the lease does not say so. */
  readonly sinceMs: number | undefined
}
export interface SessionSnapshot {
  readonly fields: Map<string, string>
  readonly leases: Map<number, LeasedRange>
}
export interface GroupSnapshot {
  readonly name: string
  /** `<group>@<generation>` */
  readonly ref: string
  readonly ready: Range[]
  readonly priority: Scored<Sequenced>[]
  /** Ordering key -> its messages that are out of its line. */
  readonly keys: Map<string, number>
  readonly lines: Set<string>
  /** Ordering key -> ranges that stand in its line. */
  readonly line: Map<string, Range[]>
  readonly suspects: Range[]
  readonly retry: Scored<Sequenced>[]
  /** Batch id -> member of `retry`. */
  readonly retrying: Map<string, string>
  readonly marks: Map<string, Mark>
  /** What waits behind what it replays. */
  readonly later: Range[]
  /** Of a topic that was taken from sight. */
  readonly log: Scored<Logged>[]
  /** Name of a message -> since when it is looked for. */
  readonly watched: Map<string, string>
  /** What no group had when it was taken from sight. */
  readonly scheduled: Scored<Sequenced>[]
  readonly dead: Scored<string>[]
  /** Batch id -> traits. */
  readonly deadTraits: Map<string, string>
  readonly failures: Map<string, Failure>
  readonly done: Map<string, string>
  readonly live: Scored<string>[]
  /** All that exist, alive or not. */
  readonly roster: string[]
  readonly sessions: Map<string, SessionSnapshot>
  readonly expired: string[]
  readonly waiting: Scored<string>[]
  readonly state: Map<string, string>
}
/** What is retained: by the number of messages that were logged before. */
export interface Logged {
  readonly range: Range
  readonly loggedMs: number
}
export interface TopicSnapshot {
  readonly topic: string
  readonly meta: Map<string, string>
  /** Batch id -> bytes. */
  readonly batches: Map<string, Buffer>
  /** Batches stored as strings of their own. */
  readonly large: Set<string>
  readonly pending: Map<string, number>
  /** Batch id -> generation of the last group that was given it. */
  readonly givenTo: Map<string, number>
  readonly generations: Map<string, string>
  /** Name -> value of what is set for the topic. */
  readonly settings: Map<string, string>
  /** What the scripts note where they read groups. */
  readonly notes: Map<string, string>
  /** Groups whose removal is under way, with their generation's name. */
  readonly removing: Map<string, string>
  readonly unclaimed: Range[]
  readonly unclaimedLater: Range[]
  readonly log: Scored<Logged>[]
  /** Batch of one that somebody is to be told of -> its entries in the log. */
  readonly logFollowed: Map<string, number>
  /** Name of a message that was cancelled -> where the log ended then. */
  readonly logGone: Map<string, number>
  readonly unclaimedPriority: Scored<Sequenced>[]
  readonly unclaimedKeys: Map<string, number>
  readonly unclaimedLines: Set<string>
  readonly unclaimedDone: Map<string, string>
  readonly unclaimedMarks: Map<string, Mark>
  /** What was changed while no group had it, by name. */
  readonly unclaimedFailures: Map<string, string>
  /** `<generation>:<key>` -> ranges, of all groups and of what no group has yet. */
  readonly lines: Map<string, Range[]>
  readonly scheduled: Scored<Sequenced>[]
  /** Batch id -> properties that are honoured when the message ends. */
  readonly follows: Map<string, Buffer>
  /** Requester -> replies it was not there for. They go by themselves. */
  readonly replies: Map<string, string[]>
  /** Message id -> group -> what it said of the message's end. They go by themselves. */
  readonly results: Map<string, Map<string, string>>
  /** Keys that expire. */
  readonly expiring: Set<string>
  /** Name of a message -> its member of `scheduled`. */
  readonly deferred: Map<string, string>
  /** Buses whose producers wait for room, since when, and for how many messages. */
  readonly blocked: Scored<string>[]
  readonly blockedNeeds: Map<string, string>
  readonly producers: Map<string, string>
  readonly outcomes: Map<string, Map<string, string>>
  readonly outbox: Map<string, string>
  readonly outboxes: Map<string, Buffer[]>
  readonly groups: Map<string, GroupSnapshot>
  /** Keys that docs/data-model.md does not know. */
  readonly unknown: string[]
  /** Keys that may not stay when the topic is idle. */
  readonly leftovers: string[]
}

const READ_ALL = `
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local type = redis.call('TYPE', key).ok
  local value
  if type == 'string' then value = { redis.call('GET', key) }
  elseif type == 'hash' then value = redis.call('HGETALL', key)
  elseif type == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif type == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  else value = redis.call('SMEMBERS', key) end
  out[#out + 1] = { key, type, value, redis.call('PTTL', key) }
end
return out`

type RawKey = [name: Buffer, type: Buffer, value: Buffer[], expiresInMs: number]

/** Every key with its content, as text that can be compared: for tests that ask whether anything changed. */
export async function readRaw(redis: Redis, pattern: string): Promise<Map<string, string>> {
  const keys = (await redis.callBuffer('EVAL', READ_ALL, 0, pattern)) as unknown as RawKey[]
  return new Map(
    keys
      .map(([name, type, value]): [string, string] => {
        const parts = value.map((part) => part.toString('latin1'))
        const pairs = parts.flatMap((part, i) => (i % 2 ? [] : [`${part}=${parts[i + 1]}`]))
        return [name.toString(), `${type} ${JSON.stringify(String(type) === 'hash' ? pairs.sort() : parts)}`]
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** All topics of a namespace but the registry. */
export async function readNamespace(redis: Redis, namespace: string): Promise<TopicSnapshot[]> {
  const keys = (await redis.callBuffer('EVAL', READ_ALL, 0, `${namespace}:*`)) as unknown as RawKey[]
  const byTopic = new Map<string, RawKey[]>()
  for (const key of keys) {
    const topic = /:\{(.*?)\}:/.exec(key[0].toString())?.[1]
    if (topic === '$bus') continue
    byTopic.set(topic ?? '', [...(byTopic.get(topic ?? '') ?? []), key])
  }
  return [...byTopic].map(([topic, keys]) => interpret(topic, `${namespace}:{${topic}}:`, keys))
}

export async function readTopic(redis: Redis, namespace: string, topic: string): Promise<TopicSnapshot> {
  const prefix = `${namespace}:{${topic}}:`
  const pattern = prefix.replaceAll(/[[\]?*\\]/g, '\\$&')
  const keys = (await redis.callBuffer('EVAL', READ_ALL, 0, `${pattern}*`)) as unknown as RawKey[]
  return interpret(topic, prefix, keys)
}

export function parseRange(text: string): Range {
  const traits = /^(~?)!(-?\d+)([&*]?)(?:@(\d+))?,(\d+),/.exec(text)
  if (traits) {
    const [lead, again, priority, list, place, keyBytes] = traits as unknown as string[] as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    const rest = Buffer.from(text).subarray(Buffer.byteLength(lead))
    const plain = parseRange(again + rest.toString('utf8', Number(keyBytes)))
    const key = rest.toString('utf8', 0, Number(keyBytes))
    return {
      ...plain,
      ...(priority !== '0' && { priority: Number(priority) }),
      ...(place !== undefined && { place: Number(place) }),
      ...(key && (list ? { listed: list === '&' ? key.split('\n') : [key] } : { key })),
    }
  }
  const match = /^(~?)(\d+),(\d+),(\d+),([^\n]+)$/s.exec(text)
  if (!match) throw new Error(`not a range: ${text}`)
  const [, mark, from, count, total, batch = ''] = match
  return { from: Number(from), count: Number(count), total: Number(total), batch, again: mark === '~' }
}

/** The ordering key of the message at this index of its batch. */
export const keyAt = ({ key, listed }: Range, index: number): string | undefined =>
  listed === undefined || listed.length > 1 ? (listed?.[index] ?? key) : listed[0]

export function parseLease(text: string): LeasedRange {
  const end = text.lastIndexOf('\n')
  const [range, since] = [text.slice(0, end), text.slice(end + 1)]
  return { ...parseRange(range), sinceMs: /^\d+$/.test(since) ? Number(since) : undefined }
}

export function parseSequenced(text: string): Sequenced {
  if (!/^\d{14}/.test(text)) throw new Error(`no sequence of 14 digits: ${text}`)
  const [front, joins] = [text[14] === '^', text[14] === '>']
  const range = parseRange(text.slice(front || joins ? 15 : 14))
  return { seq: text.slice(0, 14), ...(front && { front }), ...(joins && { joins }), range }
}

function parseLogged(text: string): Logged {
  const match = /^(\d{13});(.*)$/s.exec(text)
  if (!match) throw new Error(`not an entry of a log: ${text}`)
  return { loggedMs: Number(match[1]), range: parseRange(match[2] as string) }
}

function parseFailure(text: string): Failure {
  const match = /^(\d+) (\d+) (\S+) (.*)$/s.exec(text) ?? /^(\d+) (\d+)()()/.exec(text)
  if (!match) throw new Error(`not a failure: ${text}`)
  return {
    attempts: Number(match[1]),
    crashes: Number(match[2]),
    reason: match[3] as string,
    error: match[4] as string,
  }
}

/** The keys that an idle topic keeps. */
const STAYS = /^(meta|groups|p:[^:]+(:o)?|result:.+|[^:@]+@\d+:(state|sessions|roster|session:.+|waiting))$/

function interpret(topic: string, prefix: string, keys: RawKey[]): TopicSnapshot {
  const snapshot: TopicSnapshot = {
    topic,
    meta: new Map(),
    batches: new Map(),
    large: new Set(),
    pending: new Map(),
    givenTo: new Map(),
    generations: new Map(),
    settings: new Map(),
    notes: new Map(),
    removing: new Map(),
    unclaimed: [],
    unclaimedLater: [],
    log: [],
    logFollowed: new Map(),
    logGone: new Map(),
    unclaimedPriority: [],
    unclaimedKeys: new Map(),
    unclaimedLines: new Set(),
    unclaimedDone: new Map(),
    unclaimedMarks: new Map(),
    unclaimedFailures: new Map(),
    lines: new Map(),
    scheduled: [],
    follows: new Map(),
    replies: new Map(),
    results: new Map(),
    expiring: new Set(),
    deferred: new Map(),
    blocked: [],
    blockedNeeds: new Map(),
    producers: new Map(),
    outcomes: new Map(),
    outbox: new Map(),
    outboxes: new Map(),
    groups: new Map(),
    unknown: [],
    leftovers: [],
  }
  for (const [key, , value, expiresInMs] of keys) {
    const name = key.toString().slice(prefix.length)
    if (expiresInMs >= 0) snapshot.expiring.add(name)
    if (!STAYS.test(name)) snapshot.leftovers.push(name)
    // Without a name: what is removed that no group had.
    const inGroup = /^@\d+:key:/.test(name) ? null : /^([^:@]*@\d+):(.*)$/s.exec(name)
    const known = inGroup
      ? readGroupKey(groupOf(snapshot, inGroup[1] as string), inGroup[2] as string, value)
      : readTopicKey(snapshot, name, value)
    if (!known) snapshot.unknown.push(name)
  }
  for (const [name, ranges] of snapshot.lines) {
    const [, generation, key] = /^(\d+):(.*)$/s.exec(name) as unknown as [string, string, string]
    for (const group of snapshot.groups.values()) if (group.ref.endsWith(`@${generation}`)) group.line.set(key, ranges)
  }
  return snapshot
}

function groupOf(snapshot: TopicSnapshot, ref: string): GroupSnapshot {
  let group = snapshot.groups.get(ref)
  if (!group) {
    group = {
      name: ref.slice(0, ref.lastIndexOf('@')),
      ref,
      ready: [],
      priority: [],
      keys: new Map(),
      lines: new Set(),
      line: new Map(),
      suspects: [],
      retry: [],
      retrying: new Map(),
      marks: new Map(),
      later: [],
      log: [],
      watched: new Map(),
      scheduled: [],
      dead: [],
      deadTraits: new Map(),
      failures: new Map(),
      done: new Map(),
      live: [],
      roster: [],
      sessions: new Map(),
      expired: [],
      waiting: [],
      state: new Map(),
    }
    snapshot.groups.set(ref, group)
  }
  return group
}

function readTopicKey(topic: TopicSnapshot, name: string, value: Buffer[]): boolean {
  const into = <T>(map: Map<string, T>, make: (raw: Buffer) => T) => {
    for (const [field, raw] of pairs(value)) map.set(field.toString(), make(raw))
  }
  if (name === 'meta') into(topic.meta, String)
  else if (name === 'batches') into(topic.batches, (raw) => raw)
  else if (name === 'pending')
    for (const [batch, raw] of pairs(value)) {
      topic.pending.set(String(batch), Number(raw) % 2 ** 32)
      topic.givenTo.set(String(batch), Math.floor(Number(raw) / 2 ** 32))
    }
  else if (name === 'follows') into(topic.follows, (raw) => raw)
  else if (name.startsWith('replies:')) topic.replies.set(name.slice('replies:'.length), value.map(String))
  else if (name.startsWith('result:')) {
    const reports = new Map<string, string>()
    into(reports, String)
    topic.results.set(name.slice('result:'.length), reports)
  } else if (name === 'deferred') into(topic.deferred, String)
  else if (name === 'blocked') topic.blocked.push(...scored(value, (text) => text))
  else if (name === 'blocked:need') into(topic.blockedNeeds, String)
  else if (name === 'removing') into(topic.removing, String)
  else if (name === 'groups')
    for (const [field, raw] of pairs(value)) {
      if (field.toString().startsWith('::')) topic.notes.set(field.toString().slice(2), String(raw))
      else if (field.toString().startsWith(':')) topic.settings.set(field.toString().slice(1), String(raw))
      else topic.generations.set(field.toString(), String(raw))
    }
  else if (name === 'unclaimed') topic.unclaimed.push(...value.map((raw) => parseRange(String(raw))))
  else if (name === 'unclaimed:later') topic.unclaimedLater.push(...value.map((raw) => parseRange(String(raw))))
  else if (name === 'log') topic.log.push(...scored(value, parseLogged))
  else if (name === 'log:followed') into(topic.logFollowed, Number)
  else if (name === 'log:gone')
    for (const { member, score } of scored(value, (text) => text)) topic.logGone.set(member, score)
  else if (name === 'unclaimed:keys') into(topic.unclaimedKeys, Number)
  else if (name === 'unclaimed:done') into(topic.unclaimedDone, String)
  else if (name === 'unclaimed:failures') into(topic.unclaimedFailures, String)
  else if (name === 'unclaimed:marks') into(topic.unclaimedMarks, (raw) => parseMark(String(raw)))
  else if (name === 'unclaimed:lines') for (const raw of value) topic.unclaimedLines.add(String(raw))
  else if (/^@\d+:key:/.test(name)) {
    const [, generation, key] = /^@(\d+):key:(.*)$/s.exec(name) as unknown as [string, string, string]
    topic.lines.set(
      `${generation}:${key}`,
      value.map((raw) => parseRange(String(raw))),
    )
  } else if (name === 'unclaimed:priority') topic.unclaimedPriority.push(...scored(value, parseSequenced))
  else if (name === 'scheduled') topic.scheduled.push(...scored(value, parseSequenced))
  else if (name === 'outbox') into(topic.outbox, String)
  else if (name.startsWith('outbox:')) topic.outboxes.set(name.slice('outbox:'.length), value)
  else if (name.startsWith('b:')) {
    topic.batches.set(name.slice(2), value[0] as Buffer)
    topic.large.add(name.slice(2))
  } else if (/^p:[^:]+:o$/.test(name)) {
    const outcomes = new Map<string, string>()
    into(outcomes, String)
    topic.outcomes.set(name.slice(2, -2), outcomes)
  } else if (name.startsWith('p:')) topic.producers.set(name.slice(2), String(value[0]))
  // A plugin's own: only the plugin knows what belongs there.
  else return name.startsWith('x:')
  return true
}

function readGroupKey(group: GroupSnapshot, name: string, value: Buffer[]): boolean {
  const ranges = () => value.map((raw) => parseRange(String(raw)))
  const session = (id: string) => {
    const known = group.sessions.get(id) ?? { fields: new Map(), leases: new Map() }
    group.sessions.set(id, known)
    return known
  }
  if (name === 'ready') group.ready.push(...ranges())
  else if (name === 'later') group.later.push(...ranges())
  else if (name === 'log') group.log.push(...scored(value, parseLogged))
  else if (name === 'priority') group.priority.push(...scored(value, parseSequenced))
  else if (name === 'keys') for (const [key, raw] of pairs(value)) group.keys.set(String(key), Number(raw))
  else if (name === 'lines') for (const raw of value) group.lines.add(String(raw))
  else if (name === 'suspects') group.suspects.push(...ranges())
  else if (name === 'retry') group.retry.push(...scored(value, parseSequenced))
  else if (name === 'retrying') for (const [id, raw] of pairs(value)) group.retrying.set(String(id), String(raw))
  else if (name === 'marks') for (const [id, raw] of pairs(value)) group.marks.set(String(id), parseMark(String(raw)))
  else if (name === 'watched') for (const [id, raw] of pairs(value)) group.watched.set(String(id), String(raw))
  else if (name === 'scheduled') group.scheduled.push(...scored(value, parseSequenced))
  else if (name === 'dead') group.dead.push(...scored(value, (text) => text))
  else if (name === 'dead:traits') for (const [id, raw] of pairs(value)) group.deadTraits.set(String(id), String(raw))
  else if (name === 'failures')
    for (const [id, raw] of pairs(value)) group.failures.set(String(id), parseFailure(String(raw)))
  else if (name === 'done') for (const [id, raw] of pairs(value)) group.done.set(String(id), String(raw))
  else if (name === 'sessions') group.live.push(...scored(value, (text) => text))
  else if (name === 'roster') group.roster.push(...scored(value, (text) => text).map(({ member }) => member))
  else if (name === 'expired') group.expired.push(...value.map(String))
  else if (name === 'waiting') group.waiting.push(...scored(value, (text) => text))
  else if (name === 'state') for (const [field, raw] of pairs(value)) group.state.set(String(field), String(raw))
  else if (name.startsWith('session:'))
    for (const [field, raw] of pairs(value))
      session(name.slice('session:'.length)).fields.set(String(field), String(raw))
  else if (name.startsWith('lease:'))
    for (const [number, raw] of pairs(value))
      session(name.slice('lease:'.length)).leases.set(Number(number), parseLease(String(raw)))
  else return false
  return true
}

function pairs(flat: Buffer[]): [Buffer, Buffer][] {
  return flat.flatMap((field, i) => (i % 2 ? [] : [[field, flat[i + 1] as Buffer] as [Buffer, Buffer]]))
}

function scored<T>(flat: Buffer[], make: (text: string) => T): Scored<T>[] {
  return pairs(flat).map(([member, score]) => ({ member: make(String(member)), score: Number(score) }))
}
