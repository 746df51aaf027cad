/**
 * Carries what settles published to topics of other slots from the outbox of their own topic to its destination.
 *
 * 1. Read the head of the outbox: per destination the entries that were not confirmed, in order.
 * 2. `relay` them at the destination, whose topic is made first. It skips what it has had, so a lost answer costs nothing.
 * 3. Trim from the outbox what was answered. Again while there is more.
 *
 * It may stop at any point, and run in several processes at once: the numbers that the settling sessions gave the entries make each step repeatable.
 * What fails stays in the outbox; whoever renews next kicks again.
 */
import { type OutboxEntry, outboxRead, outboxTrim, relay } from '@busway/lua'
import type { Logger } from '../api/index.js'
import type { Publisher, Relayer, ScriptRunner } from '../seams.js'

/** Entries of one step. */
const STEP = 100
/** Bytes of one call; a larger entry goes alone. */
const CALL_BYTES = 1024 * 1024
/** How long one step is tried. */
const TRY_MS = 10_000

export interface RelayerParts {
  readonly runner: ScriptRunner
  readonly publisher: Pick<Publisher, 'ensureTopic'>
  readonly log: Logger
}

export const createRelayer = (parts: RelayerParts): Relayer => new OutboxRelayer(parts)

class OutboxRelayer implements Relayer {
  readonly #parts: RelayerParts
  /** Topic -> whether it was kicked again meanwhile. */
  readonly #running = new Map<string, { again: boolean }>()
  #isClosed = false
  #onIdle: (() => void) | undefined

  constructor(parts: RelayerParts) {
    this.#parts = parts
  }

  kick(topic: string): void {
    if (this.#isClosed) return
    const running = this.#running.get(topic)
    if (running === undefined) void this.#run(topic)
    else running.again = true
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

  async #run(topic: string): Promise<void> {
    const state = { again: false }
    this.#running.set(topic, state)
    try {
      do {
        state.again = false
        while (await this.#step(topic));
      } while (state.again)
    } catch (error) {
      this.#parts.log.warn({ topic, error: String(error) }, 'The outbox could not be read; it will be tried again')
    } finally {
      this.#running.delete(topic)
      if (this.#running.size === 0) this.#onIdle?.()
    }
  }

  /** Answers whether another step makes sense: there is more, and nothing failed that would come again at once. */
  async #step(topic: string): Promise<boolean> {
    const { entries, more } = await this.#parts.runner.runRepeatable(outboxRead, topic, { limit: STEP }, TRY_MS)
    let failed = false
    for (const [destination, ofDestination] of byDestination(entries)) {
      const relayed = await this.#relay(topic, destination, ofDestination)
      failed ||= !relayed
    }
    return more && !failed && entries.length > 0
  }

  async #relay(topic: string, destination: string, entries: readonly OutboxEntry[]): Promise<boolean> {
    const { runner, publisher, log } = this.#parts
    try {
      await publisher.ensureTopic(destination)
      for (const some of inCalls(entries)) {
        const request = { entries: some.map(({ entry }) => entry) }
        const { guardErrors } = await runner.runRepeatable(relay, destination, request, TRY_MS)
        for (const { guard, error } of guardErrors) {
          log.error({ topic: destination, guard, error }, 'A guard failed in Redis; what it was to write is missing')
        }
        const tags = some.map(({ tag }) => tag)
        await runner.runRepeatable(outboxTrim, topic, { destination, tags }, TRY_MS)
      }
      return true
    } catch (error) {
      log.warn(
        { topic, destination, entries: entries.length, error: String(error) },
        'The outbox could not be relayed; its entries stay and will be tried again',
      )
      return false
    }
  }
}

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
