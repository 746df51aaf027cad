/** What a publish asks for beyond the primary's word, checked; and how it is confirmed. */
import type { Durability } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure, RedisFailureError } from '../errors/redis-failure.js'
import type { TopicRunner } from '../redis/bus-runner.js'
import { durationMs } from '../validate/durations.js'
import { checkInteger, checkNames, invalidOption } from '../validate/options.js'

/** A confirmation that is not needed is `undefined`. */
export type Wanted =
  | { readonly kind: 'aof'; readonly timeoutMs: number }
  | { readonly kind: 'replicas'; readonly replicas: number; readonly timeoutMs: number }

const MOST_REPLICAS = 1_000
/** Redis answers nothing meanwhile, and a socket that is silent for longer is taken for one that hangs. */
const LONGEST_WAIT_MS = 1_000

/** Throws INVALID_OPTIONS. `timeoutMs`: of the publish. */
export function checkDurability(durability: Durability | undefined, timeoutMs: number): Wanted | undefined {
  if (durability === undefined || durability === 'memory') return undefined
  if (durability === 'aof') return { kind: 'aof', timeoutMs }
  if (typeof durability !== 'object' || durability === null || !('replicas' in durability))
    throw invalidOption('durability', durability, "'memory', 'aof' or { replicas, timeout? }")
  checkNames('durability', durability, ['replicas', 'timeout'])
  const { replicas, timeout } = durability
  return {
    kind: 'replicas',
    replicas: checkInteger('durability.replicas', replicas, 1, MOST_REPLICAS),
    timeoutMs: timeout === undefined ? timeoutMs : durationMs('durability.timeout', timeout, 1),
  }
}

/** Publishes of one kind share requests, and a confirmation. */
export const kindOf = (wanted: Wanted | undefined): string =>
  wanted === undefined ? '' : `${wanted.kind} ${wanted.kind === 'aof' ? '' : wanted.replicas} ${wanted.timeoutMs}`

/** An answered request, and why what it wrote cannot count as kept, if it can't. */
export interface Confirmed<Reply> {
  readonly reply: Reply
  readonly unconfirmed?: BuswayError
}

/** What a caller is told to do; who tries again by itself says so. */
const ADVICE = 'See to the replicas, or publish again with an id of your own where twice would be wrong.'

export class Confirmation {
  readonly #topic: string
  readonly #runner: TopicRunner
  readonly #wanted: Wanted
  readonly #advice: string

  constructor(topic: string, runner: TopicRunner, wanted: Wanted, advice = ADVICE) {
    this.#topic = topic
    this.#runner = runner
    this.#wanted = wanted
    this.#advice = advice
  }

  /** Rejects with CONFIG_INVALID where the server can never confirm it. Before anything is published. */
  async check(): Promise<void> {
    if (this.#wanted.kind === 'aof') await checkAof(this.#runner)
  }

  /**
   * Asked right behind the request, on its connection, which it waits on. If the connection goes before it is confirmed, all of it counts as unanswered:
   * sent again under its number it changes nothing but its producer's entry, and that is a write to wait for. Where it wrote nothing, nothing is waited for.
   */
  async of<Reply>(sent: Promise<Reply>, hasWritten: (reply: Reply) => boolean): Promise<Confirmed<Reply>> {
    const untilMs = performance.now() + this.#wanted.timeoutMs
    let asked = this.#ask(untilMs)
    // Heard below, unless the request itself has failed.
    asked.catch(() => undefined)
    const reply = await sent
    if (!hasWritten(reply)) return { reply }
    for (;;) {
      const count = await asked.catch((error: unknown) => this.#failed(error))
      if (typeof count !== 'number') return { reply, unconfirmed: count }
      if (count >= this.#needed) return { reply }
      if (performance.now() >= untilMs) return { reply, unconfirmed: this.#late(count) }
      asked = this.#ask(untilMs)
    }
  }

  get #needed(): number {
    return this.#wanted.kind === 'aof' ? 1 : this.#wanted.replicas
  }

  async #ask(untilMs: number): Promise<number> {
    // 0 would be without an end.
    const waitMs = Math.max(1, Math.min(LONGEST_WAIT_MS, Math.ceil(untilMs - performance.now())))
    if (this.#wanted.kind === 'replicas')
      return Number(await this.#runner.call('WAIT', [String(this.#wanted.replicas), String(waitMs)]))
    const [local] = (await this.#runner.call('WAITAOF', ['1', '0', String(waitMs)])) as [unknown]
    return Number(local)
  }

  /** Answers why it is unconfirmed; throws what makes the request one that was never answered. */
  #failed(error: unknown): BuswayError {
    if (isRedisFailure(error) && error.kind !== 'refused' && error.kind !== 'failed')
      throw new RedisFailureError('unknown', error.message, { cause: error })
    const why = error instanceof Error ? error.message : String(error)
    return this.#unconfirmed(`Redis refused to confirm it (${why})`, { cause: error })
  }

  #late(confirmed: number): BuswayError {
    const { timeoutMs } = this.#wanted
    if (this.#wanted.kind === 'aof') return this.#unconfirmed(`it was not on its disk within ${timeoutMs} ms`)
    const { replicas } = this.#wanted
    const what = `${confirmed} of ${replicas} replicas had confirmed it within ${timeoutMs} ms`
    return this.#unconfirmed(what, { details: { confirmed, replicas } })
  }

  #unconfirmed(what: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}): BuswayError {
    return new BuswayError(
      'PUBLISH_UNKNOWN',
      `The publish to ${this.#topic} is on the primary at ${this.#runner.address.text}, but ${what}: a failover may lose it. ${this.#advice}`,
      options,
    )
  }
}

/** Rejects with CONFIG_INVALID unless the server has what `aof` takes. */
export async function checkAof(runner: TopicRunner): Promise<void> {
  const info = String(await runner.command('INFO', ['everything']))
  const of = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const version = of('valkey_version') || of('redis_version')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const at = runner.address.text
  if (major < 7 || (major === 7 && minor < 2)) {
    throw new BuswayError(
      'CONFIG_INVALID',
      `durability: 'aof' takes Redis 7.2 or newer, or Valkey; Redis at ${at} is version ${version}. Upgrade it, or ask for { replicas }.`,
    )
  }
  if (of('aof_enabled') !== '1') {
    throw new BuswayError(
      'CONFIG_INVALID',
      `durability: 'aof' takes a server that writes one; Redis at ${at} does not. Set it: CONFIG SET appendonly yes (and in redis.conf).`,
    )
  }
}
