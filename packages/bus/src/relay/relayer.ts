/**
 * Carries what settles published to topics of other slots from the outbox of their own topic to its destination.
 *
 * 1. Read the head of the outbox: per destination the entries that were not confirmed, in order.
 * 2. `relay` them at the destination, whose topic is made first. It skips what it has had, so a lost answer costs nothing. Where publishes of this bus
 *    wait for more than the primary, so does this: what a failover of the destination forgets is still in the outbox then.
 * 3. Trim from the outbox what was answered. Again while there is more.
 *
 * A step goes over connections that last; if one goes, the outbox is read again. The server behind the next one may have been rolled back: what was read
 * is then of settles that it does not know, whose messages run again, and under the same numbers it may hold other entries by now.
 *
 * It may stop at any point, and run in several processes at once: the numbers that the settling sessions gave the entries make each step repeatable.
 * What fails stays in the outbox; whoever renews next kicks again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type OutboxEntry,
  outboxRead,
  outboxTrim,
  type RelayReply,
  type RelayRequest,
  relay,
  type Script,
} from '@busway/lua'
import type { Logger } from '../api/index.js'
import { isPassing, isRedisFailure } from '../errors/redis-failure.js'
import { partitionOf } from '../partitions/names.js'
import type { Confirmation } from '../publish/durability.js'
import type { BusRunner } from '../redis/bus-runner.js'
import type { Publisher, Relayer, ScriptRunner } from '../seams.js'
import { checkTopic } from '../validate/names.js'

/** Entries of one step. */
const STEP = 100
/** Bytes of one call; a larger entry goes alone. */
const CALL_BYTES = 1024 * 1024
/** How long one step is tried. */
const TRY_MS = 10_000
/** Before what Redis refuses for the moment is sent again. */
const REFUSED_MS = 100

export interface RelayerParts {
  readonly runner: ScriptRunner
  readonly publisher: Pick<Publisher, 'ensureTopic' | 'forgetTopic'>
  readonly log: Logger
  /** Of a bus whose publishes are confirmed by more than the primary. */
  readonly durable?: DurableRelay
}

export interface DurableRelay {
  /** Its connections are held up by what is waited for. Asked for before the first relay. */
  runner(): BusRunner
  /** Of what was sent to this topic over that runner. */
  confirmation(topic: string): Confirmation
}

export const createRelayer = (parts: RelayerParts): Relayer => new OutboxRelayer(parts)

class OutboxRelayer implements Relayer {
  readonly #parts: RelayerParts
  readonly #running = new Map<string, Running>()
  /** How many connections have gone: as long as it stays, they are the same. */
  #lost = 0
  #durable: BusRunner | undefined
  #isClosed = false
  #onIdle: (() => void) | undefined

  constructor(parts: RelayerParts) {
    this.#parts = parts
    this.#countLost(parts.runner)
  }

  #countLost(runner: Pick<ScriptRunner, 'on'>): void {
    runner.on('down', () => {
      this.#lost++
    })
  }

  /** What goes to a destination goes over this. */
  async #runnerTo(destination: string): Promise<ScriptRunner> {
    const { durable, runner } = this.#parts
    if (durable === undefined) return runner
    if (this.#durable === undefined) {
      this.#durable = durable.runner()
      this.#countLost(this.#durable)
    }
    const own = this.#durable.of(destination)
    await own.usable(AbortSignal.timeout(TRY_MS))
    return own
  }

  kick(topic: string): void {
    if (this.#isClosed) return
    void this.relayed(topic)
  }

  relayed(topic: string): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    const running = this.#running.get(topic)
    if (running === undefined) return this.#run(topic)
    running.again = true
    return running.over
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true
    if (this.#running.size === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
      timer = setTimeout(resolve, timeoutMs)
    })
    clearTimeout(timer)
  }

  #run(topic: string): Promise<void> {
    const state: Running = { again: false, lostUntilMs: undefined, over: Promise.resolve() }
    this.#running.set(topic, state)
    state.over = this.#relayAll(topic, state)
    return state.over
  }

  async #relayAll(topic: string, state: Running): Promise<void> {
    try {
      do {
        state.again = false
        while (await this.#step(topic, state));
      } while (state.again)
    } catch (error) {
      this.#parts.log.warn({ topic, error: String(error) }, 'The outbox could not be read; it will be tried again')
    } finally {
      this.#running.delete(topic)
      if (this.#running.size === 0) this.#onIdle?.()
    }
  }

  /** Answers whether another step makes sense: there is more, and nothing failed that would come again at once. */
  async #step(topic: string, state: Running): Promise<boolean> {
    const { entries, more } = await this.#parts.runner.runRepeatable(outboxRead, topic, { limit: STEP }, TRY_MS)
    const connection = this.#lost
    let failed = false
    let again = false
    for (const [destination, ofDestination] of byDestination(entries)) {
      try {
        await this.#relay(topic, destination, ofDestination, connection)
      } catch (error) {
        const passes = error instanceof Passing && this.#hasPatience(state)
        if (passes) again = true
        else failed = true
        if (!passes) this.#failed(topic, destination, ofDestination, error)
      }
    }
    if (again) return true
    state.lostUntilMs = undefined
    return more && !failed && entries.length > 0
  }

  /** Whether to go on though connections go, or the destination is deleted. */
  #hasPatience(state: Running): boolean {
    state.lostUntilMs ??= performance.now() + TRY_MS
    return performance.now() < state.lostUntilMs
  }

  #failed(topic: string, destination: string, entries: readonly OutboxEntry[], error: unknown): void {
    this.#parts.log.warn(
      { topic, destination, entries: entries.length, error: String(error) },
      'The outbox could not be relayed; its entries stay and will be tried again',
    )
  }

  async #relay(topic: string, destination: string, entries: readonly OutboxEntry[], connection: number): Promise<void> {
    const { publisher, log } = this.#parts
    // It comes from Redis, and becomes part of keys.
    checkTopic(partitionOf(destination)?.topic ?? destination, true)
    await publisher.ensureTopic(destination)
    const runner = await this.#runnerTo(destination)
    for (const some of inCalls(entries)) {
      const request = { entries: some.map(({ entry }) => entry) }
      const { guardErrors, outbox, deleted } = await this.#sendKept(connection, runner, destination, request)
      if (deleted) {
        publisher.forgetTopic(destination)
        throw new Passing(`${destination} was deleted; it has to be declared first`)
      }
      for (const { guard, error } of guardErrors) {
        log.error({ topic: destination, guard, error }, 'A guard failed in Redis; what it was to write is missing')
      }
      const tags = some.map(({ tag }) => tag)
      await this.#send(connection, this.#parts.runner, outboxTrim, topic, { destination, tags })
      if (outbox) this.kick(destination)
    }
  }

  /** Resolves when the destination has it, and others too where the bus wants them to. */
  async #sendKept(
    connection: number,
    runner: ScriptRunner,
    destination: string,
    request: RelayRequest,
  ): Promise<RelayReply> {
    // Asked for behind the answer, since what is refused is sent again behind what was asked before.
    const reply = await this.#send(connection, runner, relay, destination, request)
    const confirmation = this.#parts.durable?.confirmation(destination)
    if (confirmation === undefined) return reply
    const { unconfirmed } = await confirmation
      .of(Promise.resolve(reply), ({ deleted }) => !deleted)
      .catch((error: Error) => Promise.reject(new ConnectionLost(error.message)))
    if (unconfirmed !== undefined) throw unconfirmed
    // A connection that has written nothing has nothing to wait for.
    if (this.#lost !== connection) throw new ConnectionLost()
    return reply
  }

  /** Over these connections or not at all. What Redis refuses for the moment is sent again. */
  async #send<Request, Reply>(
    connection: number,
    runner: ScriptRunner,
    script: Script<Request, Reply>,
    topic: string,
    request: Request,
  ): Promise<Reply> {
    const untilMs = performance.now() + TRY_MS
    for (;;) {
      if (this.#lost !== connection) throw new ConnectionLost()
      try {
        return await runner.run(script, topic, request)
      } catch (error) {
        if (!isRedisFailure(error)) throw error
        if (error.kind === 'unsent' || error.kind === 'unknown') throw new ConnectionLost(error.message)
        if (!isPassing(error) || error.reply === 'OOM' || performance.now() > untilMs) throw error
        if (error.reply === 'NOSCRIPT') await runner.reload().catch(() => undefined)
        else await delay(REFUSED_MS)
      }
    }
  }
}

interface Running {
  /** It was kicked again meanwhile. */
  again: boolean
  /** Connections go, one after the other: when that is no longer put up with. */
  lostUntilMs: number | undefined
  over: Promise<void>
}

/** What the next round may stand better. */
class Passing extends Error {}
class ConnectionLost extends Passing {}

function byDestination(entries: readonly OutboxEntry[]): Map<string, OutboxEntry[]> {
  const grouped = new Map<string, OutboxEntry[]>()
  for (const entry of entries) {
    const ofDestination = grouped.get(entry.destination)
    if (ofDestination === undefined) grouped.set(entry.destination, [entry])
    else ofDestination.push(entry)
  }
  return grouped
}

function inCalls(entries: readonly OutboxEntry[]): OutboxEntry[][] {
  const calls: OutboxEntry[][] = []
  let call: OutboxEntry[] = []
  let bytes = 0
  for (const entry of entries) {
    if (call.length > 0 && bytes + entry.entry.byteLength > CALL_BYTES) {
      calls.push(call)
      call = []
      bytes = 0
    }
    call.push(entry)
    bytes += entry.entry.byteLength
  }
  if (call.length > 0) calls.push(call)
  return calls
}
