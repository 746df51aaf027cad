/** Looking after one consumer group: each call a few bounded scripts, from any process. */
import { pause, purge, redrive, removeGroup, setConcurrency } from '@busway/lua'
import type {
  ConsumerInfo,
  DeadLetter,
  GroupAdmin,
  GroupStats,
  Page,
  PageOptions,
  Peeked,
  PeekOptions,
  PeekState,
  PurgeOptions,
} from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkGroupConcurrency } from '../validate/group-concurrency.js'
import { shown } from '../validate/names.js'
import { nearest } from '../validate/nearest.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { consumersPage } from './consumers.js'
import { deadLettersPage } from './dead-letter.js'
import { batchIds } from './ids.js'
import { checkPage, type PageRequest } from './pages.js'
import { peekPage, type Shown } from './peek.js'
import { readStats } from './stats.js'
import { reporting, STEP } from './steps.js'

const STATES: readonly PeekState[] = ['ready', 'held', 'inFlight', 'retrying', 'dead']
const stateOfGroup = (state: unknown): string =>
  state === 'scheduled' || state === 'unclaimed'
    ? `one of ${STATES.join(', ')}; what no group has yet is listed by bus.topic(name).peek`
    : `one of ${STATES.join(', ')}`

/** `topic` and `group` are checked already. */
export const createGroupAdmin = (dependencies: AdminDependencies, topic: string, group: string): GroupAdmin =>
  new TopicGroup(dependencies, topic, group)

class TopicGroup implements GroupAdmin {
  readonly #dependencies: AdminDependencies
  readonly #topic: string
  readonly #group: string

  constructor(dependencies: AdminDependencies, topic: string, group: string) {
    this.#dependencies = dependencies
    this.#topic = topic
    this.#group = group
  }

  pause(): Promise<void> {
    return this.#setPaused(true)
  }

  resume(): Promise<void> {
    return this.#setPaused(false)
  }

  async setConcurrency(limit: number | null): Promise<void> {
    const request = limit === null ? {} : { limit: checkGroupConcurrency(limit) }
    const { runner } = this.#dependencies
    const { found } = await runner.runRepeatable(setConcurrency, this.#topic, { group: this.#group, ...request })
    if (!found) await this.#existing()
  }

  async stats(): Promise<GroupStats> {
    return (await this.#existing()).stats
  }

  async peek<State extends PeekState = 'ready'>(options?: PeekOptions<State>): Promise<Page<Peeked<unknown, State>>> {
    const page = checkPage('peek', options, ['state'])
    const state: PeekState = options?.state ?? 'ready'
    if (!STATES.includes(state)) throw invalidOption('state', state, stateOfGroup(state))
    // The state asked for is the state of all that is on the page.
    return (state === 'dead' ? this.#deadLetters(page) : this.#peek(state, page)) as Promise<never>
  }

  async deadLetters(options?: PageOptions): Promise<Page<DeadLetter>> {
    return this.#deadLetters(checkPage('deadLetters', options))
  }

  async consumers(options?: PageOptions): Promise<Page<ConsumerInfo>> {
    const request = checkPage('consumers', options)
    return this.#orUnknown(await consumersPage(this.#dependencies, this.#topic, this.#group, request))
  }

  async #peek(state: Exclude<PeekState, 'dead'>, page: PageRequest): Promise<Page<Shown>> {
    return this.#orUnknown(await peekPage(this.#dependencies, this.#topic, this.#group, state, page))
  }

  async #deadLetters(page: PageRequest): Promise<Page<DeadLetter>> {
    return this.#orUnknown(await deadLettersPage(this.#dependencies, this.#topic, this.#group, page))
  }

  /** An empty page may be of a group that does not exist. */
  async #orUnknown<Item>(page: Page<Item>): Promise<Page<Item>> {
    if (page.items.length === 0) await this.#existing()
    return page
  }

  async redrive(ids: readonly string[] | 'all'): Promise<number> {
    const count = ids === 'all' ? await this.#redriveAll() : await this.#redriveNamed(ids)
    const { pipeline } = this.#dependencies
    if (count > 0) pipeline().emit('redriven', { topic: this.#topic, group: this.#group, count })
    else await this.#existing()
    return count
  }

  /** Only what is dead now: what dies again meanwhile stays, so this ends. */
  async #redriveAll(): Promise<number> {
    const { nowMs } = await this.#existing()
    const { runner } = this.#dependencies
    return this.#inSteps(() =>
      runner.runRepeatable(redrive, this.#topic, { group: this.#group, untilMs: nowMs, limit: STEP }),
    )
  }

  async #redriveNamed(ids: readonly string[]): Promise<number> {
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
      throw invalidOption('ids', ids, "a list of message ids, or 'all'")
    const { runner } = this.#dependencies
    let count = 0
    const batches = batchIds(ids)
    // The last first: each step goes ahead of the one before.
    for (let end = batches.length; end > 0; end -= STEP) {
      const some = batches.slice(Math.max(0, end - STEP), end)
      const request = { group: this.#group, ids: some, limit: some.length }
      count += (await runner.runRepeatable(redrive, this.#topic, request)).count
    }
    return count
  }

  async purge(options?: PurgeOptions): Promise<number> {
    checkOptionsObject('purge', options)
    checkNames('purge', options ?? {}, ['state'])
    const what = options?.state ?? 'waiting'
    if (what !== 'waiting' && what !== 'dead') throw invalidOption('state', what, "'waiting' or 'dead'")
    const { stats } = await this.#existing()
    // What is there now; what comes meanwhile is behind it, so this ends.
    let left = what === 'dead' ? stats.dead : stats.ready + stats.held + stats.retrying
    const { runner } = this.#dependencies
    return this.#inSteps(async () => {
      if (left <= 0) return { count: 0, more: false }
      const limit = Math.min(STEP, left)
      const reply = await runner.runRepeatable(purge, this.#topic, reporting(limit, { what, group: this.#group }))
      left -= reply.count
      return reply
    })
  }

  async remove(): Promise<void> {
    await this.#existing()
    const { runner } = this.#dependencies
    await this.#inSteps(() => runner.runRepeatable(removeGroup, this.#topic, reporting(STEP, { group: this.#group })))
  }

  async #inSteps(step: () => Promise<{ count: number; more: boolean }>): Promise<number> {
    let count = 0
    let more = true
    while (more) {
      const reply = await step()
      count += reply.count
      more = reply.more
    }
    // What ended may have someone to be told.
    this.#dependencies.relayer.kick(this.#topic)
    return count
  }

  async #setPaused(paused: boolean): Promise<void> {
    const { found } = await this.#dependencies.runner.runRepeatable(pause, this.#topic, { group: this.#group, paused })
    if (!found) await this.#existing()
  }

  /** Rejects with UNKNOWN_GROUP. */
  async #existing(): Promise<{ nowMs: number; stats: GroupStats }> {
    const { nowMs, stats } = await readStats(this.#dependencies, this.#topic)
    const own = Object.hasOwn(stats.groups, this.#group) ? stats.groups[this.#group] : undefined
    if (own !== undefined) return { nowMs, stats: own }
    const near = nearest(this.#group, Object.keys(stats.groups))
    throw new BuswayError(
      'UNKNOWN_GROUP',
      `${this.#topic} has no consumer group ${shown(this.#group)}.${near === undefined ? ' A group exists from its first consumer on.' : ` Did you mean ${shown(near)}?`}`,
      { details: { topic: this.#topic, group: this.#group, nearest: near } },
    )
  }
}
