/** The scripts in a real Redis, with what a client has to remember to drive them: addresses of messages, requests of producers. */
import {
  type BatchToPublish,
  batchId,
  declare,
  type FetchedRange,
  message,
  type PeekPlace,
  type PeekReply,
  type PublishReply,
  peek,
  type publish,
  type Script,
  watch,
} from '@busway/lua'
import { expect } from 'chai'
import type { Redis } from 'ioredis'
import { decodeBodies, encodeBatch } from '../batch.js'
import { violations } from '../invariants.js'
import { type Listening, listen } from '../listening.js'
import { type Mark, nameOf, resolve } from '../marks.js'
import type { ScriptDriver } from '../script-driver.js'
import {
  type GroupSnapshot,
  parseLease,
  type Range,
  readTopic,
  type Scored,
  type Sequenced,
  type TopicSnapshot,
} from '../snapshot.js'
import type { MessageNumber, Model, ModelGroup } from './state.js'

export const TOPIC = 'orders'
export const OTHER_TOPIC = 'invoices'
/** Nobody listens to its channel. */
export const REQUESTER = 'busRRRRR'
/** A bus whose producer keeps what there is no room for. */
export const WAITER = 'busWWWWW'
const PRIORITY = 3
const REPORT_TO = 5
const KEEP_RESULT = 7
/** Of what was rehomed without having failed. */
const NOT_FAILED = '.'
const PLENTY = 1 << 20

export interface Producer {
  readonly session: string
  number: number
  /** The last request and its answer, to be repeated. */
  last?: { request: Parameters<typeof publish.args>[0]; reply: PublishReply }
}

export class Real {
  readonly redis: Redis
  readonly namespace: string
  readonly scripts: ScriptDriver
  readonly producers: Producer[] = [
    { session: 'prodAAAA', number: 0 },
    { session: 'prodBBBB', number: 0 },
  ]
  /** `batch[index]` -> message. */
  readonly #addresses = new Map<string, MessageNumber>()
  #listening: Listening | undefined
  /** Message -> `batch[index]` under which it was published. */
  readonly #published = new Map<MessageNumber, string>()
  #looks = 0
  readonly #marked = new Map<string, boolean>()

  constructor(redis: Redis, namespace: string, scripts: ScriptDriver) {
    this.redis = redis
    this.namespace = namespace
    this.scripts = scripts
  }

  run<Request, Reply>(script: Script<Request, Reply>, request: Request, topic = TOPIC): Promise<Reply> {
    return this.scripts.run(script, topic, request)
  }

  /** `watched`: somebody watches from the beginning to the end. */
  async start(watched: boolean): Promise<void> {
    for (const { session } of this.producers) await this.run(declare, { session })
    await this.run(declare, {}, OTHER_TOPIC)
    if (!watched) return
    this.#listening = await listen(this.redis, this.key('events'))
    await this.watch()
  }

  /** As whoever watches does again and again. */
  async watch(): Promise<void> {
    if (this.#listening) await this.run(watch, { forMs: 3_600_000 })
  }

  async stop(): Promise<void> {
    await this.#listening?.stop()
  }

  key(name: string): string {
    return this.scripts.key(TOPIC, name)
  }

  /** Notes where the messages of a batch are to be found. */
  learn(batch: string, messages: readonly MessageNumber[]): void {
    for (const [index, message] of messages.entries()) {
      this.#addresses.set(`${batch}[${index}]`, message)
      this.#published.set(message, `${batch}[${index}]`)
    }
  }

  learnPublished(producer: Producer, batches: readonly BatchToPublish[], messages: readonly MessageNumber[][]): void {
    for (const [n, { id }] of batches.entries())
      this.learn(id === undefined ? batchId(producer.session, producer.number, n) : `=${id}`, messages[n] ?? [])
  }

  messageAt(batch: string, index: number): MessageNumber {
    const rehomed = /^(.*)\.(\d+)$/.exec(batch)
    const message =
      this.#addresses.get(`${batch}[${index}]`) ?? (rehomed && this.#addresses.get(`${rehomed[1]}[${rehomed[2]}]`))
    if (message === undefined || message === null) throw new Error(`nobody published ${batch}[${index}]`)
    return message
  }

  published = (): MessageNumber[] => [...this.#published.keys()]

  /** Whether the group had marks when it was looked at last: then not all that is taken is something. */
  isMarked = (group: ModelGroup): boolean => this.#marked.get(group.name) === true

  /** What its publisher knows it by; undefined if that is another message's by now. */
  idOf(message: MessageNumber): string | undefined {
    const address = this.#published.get(message)
    if (address === undefined || this.#addresses.get(address) !== message) return undefined
    const [, batch = '', index] = /^(.*)\[(\d+)\]$/.exec(address) as unknown as string[]
    return batch.startsWith('=') ? batch.slice(1) : `${batch}.${index}`
  }

  messagesOf(range: Range): MessageNumber[] {
    return Array.from({ length: range.count }, (_, i) => this.messageAt(range.batch, range.from + i))
  }

  /** The messages of a fetched range, by its address and by its bytes: both say the same. */
  fetched(range: FetchedRange): MessageNumber[] {
    const messages = this.messagesOf(range)
    expect(range.value, 'the bytes of a range').to.not.equal(null)
    expect(decodeBodies(range.value as Buffer), 'the bytes of a range').to.deep.equal(messages)
    return messages
  }

  /** The ranges that a session holds. */
  async leases(group: ModelGroup, session: { readonly id: string }): Promise<Map<number, Range>> {
    const fields = await this.redis.hgetall(this.key(`${group.ref}:lease:${session.id}`))
    return new Map(Object.entries(fields).map(([number, text]) => [Number(number), parseLease(text)]))
  }

  /** `asked`: by a requester that is not there, and waits for long; and how it ends is kept. */
  encode(
    messages: readonly MessageNumber[],
    priority = 0,
    isExpired: (index: number) => boolean = () => false,
    asked = false,
  ): Buffer {
    const expires = messages.map((_, i) => (isExpired(i) ? 1 : 0))
    const address = { requester: REQUESTER, request: String(messages[0]), untilMs: Date.now() + 3_600_000 }
    const properties: [number, string][] = []
    if (priority !== 0) properties.push([PRIORITY, String(priority)])
    if (asked) properties.push([REPORT_TO, JSON.stringify(address)], [KEEP_RESULT, '3600000'])
    return encodeBatch(messages, { properties, ...(expires.some(Boolean) && { expiresAtMs: expires }) })
  }

  /** What contradicts the data model, whatever the model says. */
  async violations(): Promise<string[]> {
    return violations(await readTopic(this.redis, this.namespace, TOPIC))
  }

  /** Everything that must hold after every step. */
  async check(model: Model): Promise<void> {
    const topic = await readTopic(this.redis, this.namespace, TOPIC)
    const retained = topic.log.flatMap(({ member }) => this.messagesOf(member.range))
    for (const [id, message] of model.ownIds)
      if (!model.exists(message) && !retained.includes(message)) model.ownIds.delete(id)
    if (model.retain === undefined) expect(retained, 'retained').to.deep.equal([])
    expect(model.logged.slice(-retained.length || Number.POSITIVE_INFINITY), 'retained').to.have.members(retained)
    expect(violations(topic).join('; '), 'invariants').to.equal('')
    expect(
      [
        ...this.#inOrder(topic.unclaimedPriority, topic.unclaimed, (range) =>
          this.#waitingIn(topic.unclaimedMarks, range),
        ),
        ...topic.unclaimedLater.flatMap((range) => this.#waitingIn(topic.unclaimedMarks, range)),
      ],
      'unclaimed',
    ).to.deep.equal(model.nobody.waiting())
    expect(
      topic.scheduled.flatMap(({ member, score }) => this.messagesOf(member.range).map((message) => [message, score])),
      'scheduled',
    ).to.have.deep.members(model.scheduled.map(({ message, dueMs }) => [message, dueMs]))
    expect([...topic.generations.keys()].sort(), 'groups').to.deep.equal([...model.groups.keys()].sort())
    for (const group of model.groups.values()) this.#checkGroup(topic, group)
    await this.#lookUp(model)
    await this.#list(model)
    this.#checkBlocked(topic, model)
    const told = (topic.replies.get(REQUESTER) ?? []).map((text) => JSON.parse(text))
    expect(
      told.map(({ request, group }) => `${request} ${group ?? ''}`),
      'told to the requester',
    ).to.have.members(model.told)
    const kept = [...topic.results].flatMap(([id, reports]) => {
      const [, batch = '', index] = /^(.*)\.(\d+)$/.exec(id) ?? []
      return [...reports.keys()].map((group) => `${this.messageAt(batch, Number(index))} ${group}`)
    })
    expect(kept, 'kept of their ends').to.have.members([...new Set(model.told)])
    const events = model.takeEvents()
    if (this.#listening !== undefined) {
      const heard = (await this.#listening.heard()).flat()
      const happened = heard.map(
        ({ type, batch, index, group }) => `${type} ${this.messageAt(batch, index)} ${group ?? ''}`,
      )
      expect(happened, 'told to who watches').to.have.members(events)
    }
    const other = await readTopic(this.redis, this.namespace, OTHER_TOPIC)
    expect(violations(other), 'invariants of the other topic').to.deep.equal([])
    const relayed = other.unclaimed.flatMap((range) => decodeBodies(other.batches.get(range.batch) as Buffer))
    expect(relayed, 'relayed').to.deep.equal(model.relayed)
    expect(topic.outboxes.get(OTHER_TOPIC)?.length ?? 0, 'outbox').to.be.at.least(model.outbox.length)
  }

  /** Some messages, each in its turn, are asked for by their ids. */
  async #lookUp(model: Model): Promise<void> {
    const all = this.published()
    for (let i = 0; i < Math.min(3, all.length); i++) {
      this.#looks += 7
      const number = all[this.#looks % all.length] as MessageNumber
      const id = this.idOf(number)
      if (id === undefined) continue
      const reply = await this.run(message, { id })
      const where = `message ${number} by its id ${id}`
      const isLeft =
        reply?.unclaimed || reply?.dueAtMs !== undefined || reply?.places.some(({ state }) => state !== 'done') || false
      expect(isLeft, where).to.equal(model.exists(number))
      if (reply === undefined) continue
      expect(decodeBodies(reply.value as Buffer), where).to.deep.equal([number])
      const waits = model.scheduled.find((item) => item.message === number)
      expect(reply.dueAtMs, where).to.equal(waits?.dueMs)
      expect(reply.unclaimed, where).to.equal(model.groups.size === 0 && model.nobody.waiting().includes(number))
      // Of what ended before any group had it, groups that have the rest of its batch say that it is done.
      const isFromBeginning = (group: string) => model.groups.get(group)?.isFromBeginning === true
      const places = reply.places.filter(
        ({ state, group }) => state !== 'done' || !(model.endedUngiven.has(number) || isFromBeginning(group)),
      )
      const found = places.map(({ group, state, session, sinceMs, dueAtMs, attempts, crashes }) => ({
        ...{ group, state, session, dueAtMs, attempts, crashes },
        sinceMs: state === 'dead' ? undefined : sinceMs,
      }))
      const expected = [...model.groups.values()].flatMap((group) => group.placeOf(number, waits?.dueMs) ?? [])
      // A group that came while some of a batch was put off cannot tell what it has done from what it never had.
      const isTold = ({ state, group }: { state: string; group: string }) =>
        state !== 'done' ||
        !(model.delayed.has(number) || isFromBeginning(group)) ||
        found.some((place) => place.group === group)
      expect(found, where).to.have.deep.members(expected.filter(isTold))
    }
  }

  /** How far a group that is behind has come. */
  async catchUp(group: ModelGroup): Promise<void> {
    if (!group.behind) return
    const topic = await readTopic(this.redis, this.namespace, TOPIC)
    const kept = topic.groups.get(group.ref)
    const retained = topic.log.map(({ member, score }) => {
      // What was put off since, before any group had it, was logged again.
      const isLoggedAgain = (index: number) =>
        score < (topic.logGone.get(nameOf({ ...member.range, from: index })) ?? 0)
      const messages = this.messagesOf(member.range).filter((_, i) => !isLoggedAgain(member.range.from + i))
      return { at: score, messages }
    })
    const later = (kept?.later ?? []).flatMap((range) => this.#waitingIn(kept?.marks ?? new Map(), range))
    group.catchUp(retained, Number(kept?.state.get('cursor') ?? 0), later, kept?.state.has('behind') === true)
  }

  /** One group is listed, or what no group has yet, page by page. */
  async #list(model: Model): Promise<void> {
    const groups = [...model.groups.values()]
    const group = groups[this.#looks % groups.length]
    const shown: MessageNumber[] = []
    for (let from: PeekPlace | undefined; ; ) {
      const where = group ? ({ group: group.name, state: 'ready' } as const) : ({ state: 'unclaimed' } as const)
      const reply: PeekReply = await this.run(peek, { ...where, limit: 3, bytes: PLENTY, ...(from && { from }) })
      for (const { batch, from, count, value, done } of reply.ranges) {
        const messages = this.messagesOf({ batch, from, count, total: 1, again: false })
        expect(decodeBodies(value as Buffer), 'the bytes of a listed range').to.deep.equal(messages)
        shown.push(...messages.filter((_, i) => !done.includes(i)))
      }
      from = reply.from
      if (from === undefined) break
    }
    const expected = group ? [...group.suspects, ...group.waiting()] : model.nobody.waiting()
    expect(shown, `the list of ${group?.name}`).to.deep.equal(expected)
  }

  /** What marks leave of a range that waits in a list. */
  #waitingIn(marks: ReadonlyMap<string, Mark>, range: Range): MessageNumber[] {
    return resolve(marks, range).flatMap(({ name, index, kind }) => {
      if (kind === 'stale') return []
      return kind === 'here' ? this.messageAt(name, 0) : this.messageAt(range.batch, index)
    })
  }

  /** What waits, in the order of fetch: priorities above 0, the list, priorities below 0. */
  #inOrder(
    prioritized: readonly Scored<Sequenced>[],
    list: readonly Range[],
    messages: (range: Range) => MessageNumber[],
  ): MessageNumber[] {
    const of = (which: (score: number) => boolean) =>
      prioritized.filter(({ score }) => which(score)).flatMap(({ member }) => messages(member.range))
    return [...of((score) => score < 0), ...list.flatMap(messages), ...of((score) => score > 0)]
  }

  /** Who waits for room has not been told, so there is none for what it was refused. */
  #checkBlocked({ blocked, blockedNeeds }: TopicSnapshot, model: Model): void {
    if (blocked.length === 0) return
    expect(blocked.map(({ member }) => member)).to.deep.equal([WAITER])
    expect(blockedNeeds.get(WAITER), 'the room that it needs').to.equal(String(model.need))
    const bound = model.bound ?? Number.POSITIVE_INFINITY
    expect(Math.min(model.need, bound), 'room').to.be.greaterThan(bound - model.messagesWaiting)
  }

  #checkGroup(topic: TopicSnapshot, group: ModelGroup): void {
    const kept = topic.groups.get(group.ref)
    const isOpen = (range: Range) => (_: unknown, i: number) => kept?.done.get(range.batch)?.[range.from + i] !== '1'
    const open = (range: Range) => this.messagesOf(range).filter(isOpen(range))
    const where = (what: string) => `${what} of ${group.name}`
    const listed = (range: Range) => this.#waitingIn(kept?.marks ?? new Map(), range)
    const waiting = [
      ...this.#inOrder(kept?.priority ?? [], kept?.ready ?? [], listed),
      ...(kept?.later ?? []).flatMap(listed),
    ]
    expect(waiting, where('waiting')).to.deep.equal(group.waiting())
    expect(kept?.suspects.flatMap(listed) ?? [], where('suspects')).to.deep.equal(group.suspects)
    this.#marked.set(group.name, (kept?.marks.size ?? 0) > 0)
    expect(
      kept?.retry.flatMap(({ member, score }) => this.messagesOf(member.range).map((message) => [message, score])) ??
        [],
      where('retry'),
    ).to.have.deep.members(group.retry.map(({ message, dueMs }) => [message, dueMs]))
    expect(kept?.dead.map(({ member }) => this.messageAt(member, 0)) ?? [], where('dead')).to.have.members([
      ...group.dead,
    ])
    expect(
      [...(kept?.failures ?? [])]
        .filter(([, { reason }]) => reason !== NOT_FAILED)
        .map(([id, { attempts, crashes }]) => [this.messageAt(id, 0), attempts, crashes]),
      where('failures'),
    ).to.have.deep.members([...group.failures].map(([message, { attempts, crashes }]) => [message, attempts, crashes]))
    expect([...(kept?.sessions.keys() ?? [])].sort(), where('sessions')).to.deep.equal(
      [...group.sessions.keys()].sort(),
    )
    for (const session of group.sessions.values()) {
      const real = kept?.sessions.get(session.id)
      const leases = [...(real?.leases ?? [])].map(([number, range]) => [number, open(range), range.sinceMs])
      expect(leases, where(`leases of ${session.id}`)).to.have.deep.members(
        [...session.leases].map(([number, { open, sinceMs }]) => [number, open, sinceMs]),
      )
      expect(Number(real?.fields.get('lease')), where(`last lease of ${session.id}`)).to.equal(session.lastLease)
    }
    expect(kept?.state.has('paused') ?? false, where('paused')).to.equal(group.paused)
    expect(kept?.state.get('limit'), where('limit')).to.equal(group.limit?.toString())
    this.#checkWakes(kept, group)
    const held = group.held()
    expect(new Set(held).size, where('a message in two places')).to.equal(held.length)
    const unfinished = [...group.given].filter(([, ended]) => !ended).map(([message]) => message)
    expect(held, where('a message lost')).to.have.members(unfinished)
  }

  /** Nobody listens here, so a wake takes all that wait: where there is work that somebody could take, none waits. */
  #checkWakes(kept: GroupSnapshot | undefined, group: ModelGroup): void {
    if (group.paused || group.room === 0) return
    if (group.behind) expect(kept?.waiting, `sessions of ${group.name} that wait while it is behind`).to.deep.equal([])
    if (group.waiting().length === 0 && (group.suspects.length === 0 || group.inFlight > 0)) return
    expect(kept?.waiting ?? [], `sessions of ${group.name} that wait while there is work`).to.deep.equal([])
  }
}
