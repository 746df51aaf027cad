/** Consuming: sessions that open, advance, lose a reply, expire, are recovered, close. */
import {
  type AdvanceReply,
  type AdvanceRequest,
  advance,
  advancePublishing,
  close,
  type LeasePart,
  open,
  type Recovered,
  type Settle,
  sync,
} from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Range } from '../snapshot.js'
import { HOUR_MS } from './commands-publishing.js'
import { OTHER_TOPIC, type Real, TOPIC } from './real.js'
import { type MessageNumber, type Model, ModelGroup, type ModelSession } from './state.js'

type Command = fc.AsyncCommand<Model, Real>

export const LEASE_MS = 600_000
const PLENTY_BYTES = 1 << 20

/** The `i`-th session of the `g`-th group, if there is one. */
export function pick(model: Model, g: number, i: number): { group: ModelGroup; session: ModelSession } | undefined {
  const groups = [...model.groups.values()].filter(({ sessions }) => sessions.size > 0)
  const group = groups[g % groups.length]
  const sessions = [...(group?.sessions.values() ?? [])]
  const session = sessions[i % sessions.length]
  return group && session && { group, session }
}

class Open implements Command {
  readonly group: string
  readonly session: number
  readonly concurrency: number
  readonly maxCrashes: number
  readonly limit: number | undefined
  readonly reopened: boolean
  readonly fromBeginning: boolean
  constructor(
    group: string,
    session: number,
    concurrency: number,
    maxCrashes: number,
    limit: number | undefined,
    reopened: boolean,
    fromBeginning: boolean,
  ) {
    this.fromBeginning = fromBeginning
    this.limit = limit
    this.reopened = reopened
    this.group = group
    this.session = session
    this.concurrency = concurrency
    this.maxCrashes = maxCrashes
  }
  check = (model: Readonly<Model>) => (model.groups.get(this.group)?.sessions.size ?? 0) < 3
  toString = () =>
    `open(${this.group}${this.fromBeginning ? ' from the beginning' : ''}, concurrency ${this.concurrency}, maxCrashes ${this.maxCrashes}${this.limit === undefined ? '' : `, limit ${this.limit}${this.reopened ? ' again' : ''}`})`

  async run(model: Model, real: Real): Promise<void> {
    const id = `busAAAAA~${(++sessionsOpened).toString(36)}`
    const { concurrency, maxCrashes } = this
    const reply = await real.run(open, {
      group: this.group,
      session: id,
      leaseMs: LEASE_MS,
      concurrency,
      maxCrashes,
      info: '{}',
      deadMax: 1000,
      deadKeepMs: HOUR_MS,
      ...(this.limit === undefined ? {} : { limit: this.limit, reopened: this.reopened }),
      fromBeginning: this.fromBeginning,
    })
    const isNew = !model.groups.has(this.group)
    expect(reply.retainsNothing, 'retains nothing').to.equal(isNew && this.fromBeginning && model.retain === undefined)
    if (reply.retainsNothing) return await real.check(model)
    const group = model.groups.get(this.group) ?? new ModelGroup(this.group, model)
    group.ref = reply.group
    if (model.groups.size === 0) {
      const { later, keepsLater } = model.nobody
      group.give(model.nobody.waiting().filter((message) => !later.includes(message)))
      if (keepsLater) group.behind = { cursor: 0, end: 0 }
      group.give(later)
      model.nobody = new ModelGroup('', model)
    }
    model.groups.set(this.group, group)
    if (isNew && this.fromBeginning) {
      group.isFromBeginning = true
      const end = await real.redis.hget(real.key('meta'), 'logEnd')
      if ((await real.redis.exists(real.key('log'))) === 1) group.behind = { cursor: 0, end: Number(end) }
    }
    const isNews = this.limit !== group.limitGiven && (group.limitGiven === undefined || !this.reopened)
    if (this.limit !== undefined && isNews) group.limit = group.limitGiven = this.limit
    expect(reply.limited, 'limited').to.equal(group.limit !== undefined)
    recover(group, reply.recovered)
    const solo = undefined
    const session = {
      id,
      concurrency,
      maxCrashes,
      epoch: 0,
      applied: 0,
      lastLease: 0,
      solo,
      closing: false,
      overdue: false,
    }
    group.sessions.set(id, { ...session, leases: new Map() })
    await real.check(model)
  }
}
let sessionsOpened = 0

/** What a request settles, chosen by numbers so that any choice shrinks. */
type Choice = { readonly lease: number; readonly action: number; readonly at: number; readonly size: number }

class Advance implements Command {
  readonly group: number
  readonly session: number
  readonly want: number
  readonly fewBytes: boolean
  readonly renew: boolean
  readonly choices: readonly Choice[]
  constructor(
    group: number,
    session: number,
    want: number,
    fewBytes: boolean,
    renew: boolean,
    choices: readonly Choice[],
  ) {
    this.group = group
    this.session = session
    this.want = want
    this.fewBytes = fewBytes
    this.renew = renew
    this.choices = choices
  }
  check = (model: Readonly<Model>) => pick(model as Model, this.group, this.session) !== undefined
  toString = () => `advance(want ${this.want}${this.renew ? ', renew' : ''}, ${JSON.stringify(this.choices)})`

  async run(model: Model, real: Real): Promise<void> {
    const { group, session } = pick(model, this.group, this.session) as { group: ModelGroup; session: ModelSession }
    const ranges = await real.leases(group, session)
    const request: AdvanceRequest & { acks: LeasePart[]; releases: LeasePart[]; settles: Settle[] } = {
      group: group.ref,
      session: session.id,
      epoch: session.epoch,
      number: session.applied + 1,
      want: this.want,
      wantBytes: this.fewBytes ? 60 : PLENTY_BYTES,
      acks: [],
      releases: [],
      settles: [],
      renew: this.renew,
    }
    const expectations: { apply: (nowMs: number) => void; order: number }[] = []
    const expectLater = (order: number, apply: (nowMs: number) => void) => expectations.push({ order, apply })
    const released: { lease: number; from: number; messages: MessageNumber[] }[] = []
    const toSame: MessageNumber[] = []
    const used = new Set<number>()
    let staged = 0
    for (const { lease: which, action, at, size } of this.choices) {
      const numbers = [...session.leases.keys()].sort((a, b) => a - b)
      const lease = numbers[which % numbers.length]
      if (lease === undefined || used.has(lease)) continue
      used.add(lease)
      const range = ranges.get(lease) as Range
      const open = session.leases.get(lease)?.open as MessageNumber[]
      const offset = at % range.count
      const part = { lease, from: range.from + offset, count: 1 + (size % (range.count - offset)) }
      const partOpen = real.messagesOf({ ...range, ...part }).filter((message) => open.includes(message))
      const take = (messages: readonly MessageNumber[]) => {
        const held = session.leases.get(lease)
        if (!held) return
        held.open = held.open.filter((message) => !messages.includes(message))
        if (held.open.length === 0) session.leases.delete(lease)
      }
      const index = part.from
      const [message] = real.messagesOf({ ...range, from: index, count: 1 }) as [MessageNumber]
      const isOpen = open.includes(message)
      switch (action) {
        case 0:
          request.acks.push({ lease })
          expectLater(0, () => {
            for (const each of open) group.end(each)
            take(open)
          })
          break
        case 1:
          request.acks.push(part)
          expectLater(0, () => {
            for (const each of partOpen) group.end(each)
            take(partOpen)
          })
          break
        case 2:
        case 3: {
          const back = action === 2 ? open : partOpen
          request.releases.push(action === 2 ? { lease } : part)
          released.push({ lease, from: index, messages: [...back] })
          expectLater(1, () => take(back))
          break
        }
        case 4:
        case 5: {
          const counted = action === 4
          const delayMs = size % 2 ? HOUR_MS : 0
          request.settles.push({ lease, index, outcome: 'retry', delayMs, counted, error: '{"message":"no"}' })
          if (isOpen)
            expectLater(2, (nowMs) => {
              take([message])
              group.fail(message, counted ? 1 : 0, 0)
              group.retry.push({ message, dueMs: nowMs + delayMs, order: model.nextOrder() })
            })
          break
        }
        case 6:
          request.settles.push({ lease, index, outcome: 'dead', reason: 'attempts', error: '{"message":"no"}' })
          if (isOpen)
            expectLater(2, () => {
              take([message])
              group.fail(message, 1, 0)
              group.die(message)
            })
          break
        default: {
          const own = model.newMessages(2)
          const [there, here] = own as [MessageNumber, MessageNumber]
          request.settles.push({
            lease,
            index,
            outcome: 'done',
            staged: [
              { topic: OTHER_TOPIC, batch: { value: real.encode([there]) } },
              { topic: TOPIC, batch: { value: real.encode([here]) } },
            ],
          })
          if (isOpen) {
            const nth = staged++
            expectLater(2, () => {
              take([message])
              group.end(message)
              model.outbox.push(there)
              toSame.push(here)
              real.learn(`${session.id}-${request.number}-${nth}`, [here])
            })
          }
        }
      }
    }
    const script = request.settles.some((settle) => settle.outcome === 'done' && settle.staged?.length)
      ? advancePublishing
      : advance
    const reply = await real.run(script, request)
    if (reply.status !== 'ok') throw new Error(`an advance in its turn was answered ${reply.status}`)
    expect(reply.refused, 'refused').to.deep.equal([])
    session.applied++
    session.overdue = false

    for (const { apply } of expectations.sort((a, b) => a.order - b.order)) apply(reply.nowMs)
    // 1. What was given back is at the head, in the order of its leases.
    released.sort((a, b) => a.lease - b.lease || a.from - b.from)
    for (const { lease, messages } of released.reverse())
      if (lease === session.solo) group.suspects.unshift(...messages)
      else group.makeReady(messages, true)
    if (session.solo !== undefined && !session.leases.has(session.solo)) session.solo = undefined
    // 2. What was published with the settles is at the end.
    model.accept(toSame, false)
    model.log(toSame)
    if (this.renew) recover(group, reply.recovered, session.id)
    model.promote(group, reply.nowMs)
    await this.#fetch(model, real, group, session, request, reply)
    await this.#checkWaiting(real, group, session, reply)
    if (session.closing && session.leases.size === 0) group.sessions.delete(session.id)
    await real.check(model)
  }

  /** A client that takes itself for waiting is woken, or comes back by itself. */
  async #checkWaiting(
    real: Real,
    group: ModelGroup,
    session: ModelSession,
    { ranges, more, gone, drain, dueMs }: AdvanceReply & { status: 'ok' },
  ): Promise<void> {
    const fetched = ranges.reduce((sum, { count }) => sum + count, 0)
    const takesItselfForWaiting = fetched < this.want && (fetched === 0 || !more) && !gone
    if (!takesItselfForWaiting || session.closing || session.solo !== undefined || drain || more || dueMs) return
    const since = await real.redis.zscore(real.key(`${group.ref}:waiting`), session.id)
    expect(since, 'it is among those that wait').to.not.equal(null)
  }

  async #fetch(
    model: Model,
    real: Real,
    group: ModelGroup,
    session: ModelSession,
    request: AdvanceRequest,
    reply: AdvanceReply & { status: 'ok' },
  ): Promise<void> {
    const isBehind = group.behind !== undefined
    await real.catchUp(group)
    const want = Math.min(request.want, group.room)
    expect(reply.limited, 'limited').to.equal(group.limit !== undefined)
    const fetched = reply.ranges.map((range) => ({
      range,
      messages: real.fetched(range).filter((_, position) => !range.skip?.includes(position)),
    }))
    for (const { range } of fetched)
      for (const position of range.skip ?? [])
        expect(
          [...model.expired, ...model.cancelled, ...model.moved],
          'nothing is skipped but what expired, ended, or went elsewhere',
        ).to.include(real.fetched(range)[position])
    const messages = fetched.flatMap(({ messages }) => messages)
    expect(messages.length, 'no more than wanted, and than the limit leaves room for').to.be.at.most(want)
    expect(reply.paused).to.equal(group.paused)
    for (const { range, messages } of fetched) {
      expect(range.lease, 'leases are numbered in order').to.equal(++session.lastLease)
      session.leases.set(range.lease, { open: [...messages], sinceMs: reply.nowMs })
    }
    expect(reply.lastLease).to.equal(session.lastLease)
    if (group.paused || session.closing) {
      expect(messages, 'nothing while paused or closing').to.deep.equal([])
      return
    }
    // What had expired was taken too, and died of it.
    const dead = (await real.redis.zrange(real.key(`${group.ref}:dead`), '0', '-1')).map((id) => real.messageAt(id, 0))
    const died = dead.filter((message) => !group.dead.has(message))
    for (const message of died) {
      expect([...model.expired], 'only what expired dies of a fetch').to.include(message)
      group.fail(message, 0, 0)
      group.die(message)
    }
    expect(
      messages.filter((message) => model.expired.has(message)),
      'what expired does not run',
    ).to.deep.equal([])
    const isMarked = real.isMarked(group)
    if (died.length > 0 && died[0] === group.suspects[0]) {
      expect(fetched, 'a suspect is taken alone').to.deep.equal([])
      group.suspects.shift()
      return
    }
    if (reply.solo && fetched.length > 0) {
      expect(session.leases.size, 'a suspect runs alone').to.equal(1)
      expect(messages, 'the next suspect').to.deep.equal(group.suspects.splice(0, 1))
      session.solo = session.lastLease
      return
    }
    if (session.solo !== undefined) {
      expect(messages, 'nothing beside a suspect').to.deep.equal([])
      return
    }
    const taken = group.take(messages.length + died.length)
    expect(
      taken.filter((message) => !died.includes(message)),
      'in order, from the head',
    ).to.deep.equal(messages)
    expect(taken, 'what died').to.include.members(died)
    const ready = taken.length
    if (reply.drain) expect(ready, 'nothing while draining').to.equal(0)
    else if (group.suspects.length === 0) {
      const left = group.waiting().length
      // What is nothing any more was taken too.
      if (isMarked && ready < Math.min(want, ready + left))
        expect(reply.more || reply.gone, 'the rest is told of').to.equal(true)
      else if (isBehind) {
        if (ready < want && (left > 0 || group.behind))
          expect(reply.more || ready > 0 || reply.gone || want === 0, 'the rest is told of').to.equal(true)
      } else if (this.fewBytes) expect(ready > 0 || left === 0 || want === 0, 'one range at least').to.equal(true)
      else expect(ready, 'as much as wanted').to.equal(Math.min(want, ready + left))
    }
    for (const { range, messages } of fetched) {
      const failure = messages.length === 1 ? group.failures.get(messages[0] as MessageNumber) : undefined
      expect(range.failure, 'what is known of its failures').to.deep.equal(failure)
      // A failure tells it as well.
      if (!failure)
        expect(range.again, 'whether it may have run').to.equal(messages.some((each) => group.again.has(each)))
    }
  }
}

/** A request of an older epoch, with another number, or of a session that is gone: nothing is applied. */
class AdvanceOutOfTurn implements Command {
  readonly group: number
  readonly session: number
  readonly how: 'repeated' | 'ahead' | 'old epoch' | 'lost'
  constructor(group: number, session: number, how: AdvanceOutOfTurn['how']) {
    this.group = group
    this.session = session
    this.how = how
  }
  check = (model: Readonly<Model>) => pick(model as Model, this.group, this.session) !== undefined
  toString = () => `advance ${this.how}`

  async run(model: Model, real: Real): Promise<void> {
    const { group, session } = pick(model, this.group, this.session) as { group: ModelGroup; session: ModelSession }
    const lost = this.how === 'lost'
    const reply = await real.run(advance, {
      group: group.ref,
      session: lost ? 'nobody__~1' : session.id,
      epoch: session.epoch - (this.how === 'old epoch' ? 1 : 0),
      number: session.applied + { repeated: 0, ahead: 2, 'old epoch': 1, lost: 1 }[this.how],
      want: 10,
      wantBytes: PLENTY_BYTES,
      acks: [...session.leases.keys()].map((lease) => ({ lease })),
      releases: [],
      settles: [],
      renew: true,
    })
    expect(reply).to.deep.equal({ status: lost ? 'lost' : 'resync' })
    await real.check(model)
  }
}

/** A client that does not know what happened asks. `forgets`: which leases it has never heard of. */
class Sync implements Command {
  readonly group: number
  readonly session: number
  readonly forgets: number
  constructor(group: number, session: number, forgets: number) {
    this.group = group
    this.session = session
    this.forgets = forgets
  }
  check = (model: Readonly<Model>) => pick(model as Model, this.group, this.session) !== undefined
  toString = () => `sync(forgets ${this.forgets})`

  async run(model: Model, real: Real): Promise<void> {
    const { group, session } = pick(model, this.group, this.session) as { group: ModelGroup; session: ModelSession }
    const held = [...session.leases.keys()].sort((a, b) => a - b)
    const known = held.filter((lease) => (this.forgets >> (lease % 4)) % 2 === 0)
    session.epoch++
    const reply = await real.run(sync, { group: group.ref, session: session.id, epoch: session.epoch, known })
    if (reply.status !== 'ok') throw new Error('a live session was answered lost')
    expect(reply.applied).to.equal(session.applied)
    expect(reply.lastLease).to.equal(session.lastLease)
    expect(
      [...reply.held].sort((a, b) => a - b),
      'held',
    ).to.deep.equal(known)
    expect(
      reply.unknown.map((range) => [
        range.lease,
        real.fetched(range).filter((_, position) => !range.skip?.includes(position)),
      ]),
      'unknown',
    ).to.have.deep.members(
      held.filter((lease) => !known.includes(lease)).map((lease) => [lease, session.leases.get(lease)?.open]),
    )
    session.overdue = false
    await real.check(model)
  }
}

/** The clock passes a session's lease. */
class Expire implements Command {
  readonly group: number
  readonly session: number
  constructor(group: number, session: number) {
    this.group = group
    this.session = session
  }
  check = (model: Readonly<Model>) => pick(model as Model, this.group, this.session) !== undefined
  toString = () => 'expire'

  async run(model: Model, real: Real): Promise<void> {
    const { group, session } = pick(model, this.group, this.session) as { group: ModelGroup; session: ModelSession }
    await real.redis.zadd(real.key(`${group.ref}:sessions`), 'XX', ++expiries, session.id)
    session.overdue = true
    // Those that are overdue are fenced in the order in which their leases ended.
    group.sessions.delete(session.id)
    group.sessions.set(session.id, session)
    await real.check(model)
  }
}
let expiries = 0

class Close implements Command {
  readonly group: number
  readonly session: number
  readonly runs: number
  constructor(group: number, session: number, runs: number) {
    this.group = group
    this.session = session
    this.runs = runs
  }
  check = (model: Readonly<Model>) => pick(model as Model, this.group, this.session)?.session.closing === false
  toString = () => `close(${this.runs} run)`

  async run(model: Model, real: Real): Promise<void> {
    const { group, session } = pick(model, this.group, this.session) as { group: ModelGroup; session: ModelSession }
    const ranges = await real.leases(group, session)
    const running: LeasePart[] = []
    const back: MessageNumber[] = []
    for (const [lease, held] of [...session.leases].sort(([a], [b]) => a - b)) {
      const range = ranges.get(lease) as Range
      const all = real.messagesOf(range)
      const kept = running.length < this.runs ? held.open[lease % held.open.length] : undefined
      if (kept !== undefined) running.push({ lease, from: range.from + all.indexOf(kept), count: 1 })
      const given = held.open.filter((message) => message !== kept)
      if (lease === session.solo) group.suspects.unshift(...given)
      else back.push(...given)
      held.open = held.open.filter((message) => message === kept)
      if (held.open.length === 0) session.leases.delete(lease)
    }
    const reply = await real.run(close, { group: group.ref, session: session.id, running })
    if (reply.status !== 'ok') throw new Error('a live session was answered lost')
    group.makeReady(back, true)
    session.closing = true
    session.overdue = false
    if (session.leases.size === 0) group.sessions.delete(session.id)
    await real.check(model)
  }
}

/** Sessions whose lease is over are fenced and their messages given to others: what did not run as if nothing had happened, what ran with a crash. */
export function recover(group: ModelGroup, reply: Recovered | undefined, self?: string): void {
  const over = [...group.sessions.values()].filter(({ overdue, id }) => overdue && id !== self)
  expect(reply !== undefined, 'something to recover').to.equal(over.length > 0)
  let crashed = 0
  for (const session of over) {
    const open = [...session.leases].sort(([a], [b]) => a - b).flatMap(([, { open }]) => open)
    const running = open.slice(0, session.closing ? open.length : session.concurrency)
    const back = open.slice(running.length)
    const suspects: MessageNumber[] = []
    for (const message of running) {
      const { crashes } = group.fail(message, 1, session.closing ? 0 : 1)
      if (session.closing) back.push(message)
      else if (crashes >= session.maxCrashes) group.die(message)
      else suspects.push(message)
      if (!session.closing) crashed++
    }
    if (session.closing) back.sort((a, b) => open.indexOf(a) - open.indexOf(b))
    group.makeReady(back, true)
    group.suspects.unshift(...suspects)
    for (const message of open) group.again.add(message)
    group.sessions.delete(session.id)
  }
  if (reply) expect(reply).to.deep.include({ crashed, more: false })
}

const which = fc.tuple(fc.nat(2), fc.nat(2))
const choice = fc.record({ lease: fc.nat(5), action: fc.nat(7), at: fc.nat(5), size: fc.nat(5) })

export const opened = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c'),
    fc.nat(9),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
    fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 2 }),
    fc.boolean(),
    fc.nat(3),
  )
  .map(
    ([group, session, concurrency, maxCrashes, limit, reopened, from]): Command =>
      new Open(group, session, concurrency, maxCrashes, limit, reopened, from <= 1),
  )
export const advanced = fc
  .tuple(which, fc.nat(12), fc.integer({ min: 0, max: 5 }), fc.boolean(), fc.array(choice, { maxLength: 5 }))
  .map(
    ([[group, session], want, few, renew, choices]): Command =>
      new Advance(group, session, want, few === 0, renew, choices),
  )
export const advanceOutOfTurn = fc
  .tuple(which, fc.constantFrom('repeated', 'ahead', 'old epoch', 'lost'))
  .map(([[group, session], how]): Command => new AdvanceOutOfTurn(group, session, how as AdvanceOutOfTurn['how']))
export const synced = fc
  .tuple(which, fc.nat(15))
  .map(([[group, session], forgets]): Command => new Sync(group, session, forgets))
export const expired = which.map(([group, session]): Command => new Expire(group, session))
export const closed = fc
  .tuple(which, fc.nat(3))
  .map(([[group, session], runs]): Command => new Close(group, session, runs))
