/** A server that keeps the rules of `advance` and `sync` for one session, in memory, behind a connection that fails as a test says. */
import type { AdvanceReply, AdvanceRequest, FetchedRange, LeasePart, Script, SyncReply, SyncRequest } from '@busway/lua'
import { RedisFailureError } from '../../packages/bus/src/errors/redis-failure.js'
import type { ScriptRunner } from '../../packages/bus/src/seams.js'
import { batchOf } from './held.js'

/** What happens to one call: answered, lost on its way there or back, arriving after the client gave it up, or refused. */
export type Fate = 'answered' | 'request lost' | 'reply lost' | 'late' | 'refused' | 'noscript'

/** Messages are numbers, handed out as ranges of `perRange`. */
export class FakeServer {
  alive = true
  epoch = 0
  applied = 0
  lastLease = 0
  readonly ready: number[]
  readonly leases = new Map<number, number[]>()
  /** Every settle that was applied, in order. */
  readonly settled: number[] = []
  readonly perRange: number
  /** It waits, and is pushed what is published. */
  waits = false
  /** Called with each settle that publishes; says whether memory is full. */
  isFull = false
  /** Suspects wait for somebody who runs dry. */
  drain = false

  constructor(messages: number, perRange = 3) {
    this.ready = Array.from({ length: messages }, (_, i) => i)
    this.perRange = perRange
  }

  advance(request: AdvanceRequest): AdvanceReply {
    if (!this.alive) return { status: 'lost' }
    if (request.epoch !== this.epoch || request.number !== this.applied + 1) return { status: 'resync' }
    const refused: number[] = []
    const end = ({ lease, from, count }: LeasePart, to: (message: number) => void): void => {
      const held = this.leases.get(lease)
      if (held === undefined) {
        refused.push(lease)
        return
      }
      const ending = held.filter((_, i) => from === undefined || (i >= from && i < from + (count ?? 1)))
      for (const message of ending) {
        if (message < 0) throw new Error(`lease ${lease} settles a message twice`)
        to(message)
        held[held.indexOf(message)] = -1
      }
      if (held.every((message) => message < 0)) this.leases.delete(lease)
    }
    for (const ack of request.acks) end(ack, (message) => this.settled.push(message))
    for (const { lease, index } of request.settles) end({ lease, from: index, count: 1 }, (m) => this.settled.push(m))
    const back: number[] = []
    for (const release of request.releases) end(release, (message) => back.push(message))
    this.ready.unshift(...back)
    const ranges: FetchedRange[] = []
    for (let room = this.drain ? 0 : request.want; room > 0 && this.ready.length > 0; ) {
      const messages = this.ready.splice(0, Math.min(room, this.perRange))
      room -= messages.length
      this.leases.set(++this.lastLease, messages)
      ranges.push(this.#range(this.lastLease))
    }
    this.waits = request.want > 0 && ranges.reduce((sum, { count }) => sum + count, 0) < request.want
    this.applied = request.number
    return {
      status: 'ok',
      nowMs: 1,
      lastLease: this.lastLease,
      more: this.ready.length > 0,
      paused: false,
      drain: this.drain && this.leases.size > 0,
      solo: false,
      outbox: false,
      gone: false,
      watched: false,
      limited: false,
      refused,
      ranges,
      guardErrors: [],
    }
  }

  /** Answers what is pushed, if somebody waits; else it waits to be fetched. */
  publish(message: number): FetchedRange | undefined {
    if (!this.waits || this.ready.length > 0) {
      this.ready.push(message)
      return undefined
    }
    this.waits = false
    this.leases.set(++this.lastLease, [message])
    return this.#range(this.lastLease)
  }

  sync({ epoch, known }: SyncRequest): SyncReply {
    if (!this.alive) return { status: 'lost' }
    this.epoch = Math.max(this.epoch, epoch)
    const all = [...this.leases.keys()]
    return {
      status: 'ok',
      nowMs: 1,
      applied: this.applied,
      lastLease: this.lastLease,
      held: all.filter((lease) => known.includes(lease)),
      unknown: all.filter((lease) => !known.includes(lease)).map((lease) => this.#range(lease)),
    }
  }

  #range(lease: number): FetchedRange {
    const messages = this.leases.get(lease) as number[]
    const skip = messages.flatMap((message, i) => (message < 0 ? [i] : []))
    const range = {
      lease,
      batch: `s-1-${lease}`,
      from: 0,
      count: messages.length,
      total: messages.length,
      again: false,
    }
    return { ...range, value: batchOf(messages.length), ...(skip.length > 0 ? { skip } : {}) }
  }
}

/** A runner over a fake server. Calls meet their fates in turn; when there are none left, all are answered. */
export class FakeRunner implements ScriptRunner {
  readonly #server: FakeServer
  readonly #fates: Fate[]
  /** Requests that still sit in a socket's buffer. */
  readonly #late: (() => void)[] = []
  #isDown = false
  readonly problem = undefined
  reloads = 0

  constructor(server: FakeServer, fates: readonly Fate[] = []) {
    this.#server = server
    this.#fates = [...fates]
  }

  run<Request, Reply>(script: Script<Request, Reply>, _topic: string, request: Request): Promise<Reply> {
    const apply = (): Reply => {
      if (script.name === 'open') return { nowMs: 1, group: 'g@1', recovered: undefined, outbox: false } as Reply
      if (script.name === 'close') return { status: 'ok', released: 0 } as Reply
      if (script.name === 'sync') return this.#server.sync(request as SyncRequest) as Reply
      return this.#server.advance(request as AdvanceRequest) as Reply
    }
    if (script.name === 'seen') return later(() => Promise.resolve(undefined as Reply))
    if (this.#isDown) return later(() => Promise.reject(new RedisFailureError('unsent', 'down')))
    if (this.#server.isFull && script.name === 'advance-publishing')
      return later(() => Promise.reject(new RedisFailureError('refused', 'OOM', { reply: 'OOM' })))
    const fate = script.name === 'open' ? 'answered' : (this.#fates.shift() ?? 'answered')
    // What was late arrives before anything that is sent now, but for what fences it off.
    if (script.name !== 'sync') for (const arrive of this.#late.splice(0)) arrive()
    switch (fate) {
      case 'answered': {
        const reply = apply()
        return later(() => Promise.resolve(reply))
      }
      case 'reply lost':
        apply()
        return this.#broken()
      case 'late':
        this.#late.push(() => void apply())
        return this.#broken()
      case 'request lost':
        return this.#broken()
      case 'refused':
        return later(() => Promise.reject(new RedisFailureError('refused', 'BUSY', { reply: 'BUSY' })))
      case 'noscript':
        return later(() => Promise.reject(new RedisFailureError('refused', 'NOSCRIPT', { reply: 'NOSCRIPT' })))
    }
  }

  /** Whatever else was under way on this connection has its own fate, as its reply may have been read before. */
  #broken<Reply>(): Promise<Reply> {
    this.#isDown = true
    return later(() => Promise.reject(new RedisFailureError('unknown', 'the connection went')))
  }

  runRepeatable<Request, Reply>(script: Script<Request, Reply>, topic: string, request: Request): Promise<Reply> {
    return this.run(script, topic, request)
  }

  async usable(): Promise<void> {
    await later(() => Promise.resolve())
    this.#isDown = false
  }

  async reload(): Promise<void> {
    this.reloads++
  }

  runPlugin = (): Promise<unknown> => Promise.reject(new Error('no plugins here'))
  now = (): number => 1
  learnTime = (): void => {}
  on = (): (() => void) => () => {}
}

const later = <T>(give: () => Promise<T>): Promise<T> =>
  new Promise<void>((resolve) => setImmediate(resolve)).then(give)
