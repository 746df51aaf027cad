/** Looking after one group of a topic with partitions: what each of them is asked for, put together. */
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
import { inexact } from '../partitions/errors.js'
import { pageOver } from './partitioned-page.js'
import { sum, sumOfGroups } from './sums.js'

export class PartitionedGroup implements GroupAdmin {
  readonly #topic: string
  readonly #parts: readonly GroupAdmin[]

  constructor(topic: string, parts: readonly GroupAdmin[]) {
    this.#topic = topic
    this.#parts = parts
  }

  async pause(): Promise<void> {
    await this.#each((part) => part.pause())
  }

  async resume(): Promise<void> {
    await this.#each((part) => part.resume())
  }

  async setConcurrency(): Promise<void> {
    throw inexact(this.#topic, 'A limit of messages in flight (setConcurrency)', 'Limit each process (concurrency).')
  }

  async stats(): Promise<GroupStats> {
    return sumOfGroups(await this.#each((part) => part.stats()))
  }

  async peek<State extends PeekState = 'ready'>(options?: PeekOptions<State>): Promise<Page<Peeked<unknown, State>>> {
    return this.#page(options, (part, page) => part.peek<State>(page))
  }

  async deadLetters(options?: PageOptions): Promise<Page<DeadLetter>> {
    return this.#page(options, (part, page) => part.deadLetters(page))
  }

  async consumers(options?: PageOptions): Promise<Page<ConsumerInfo>> {
    return this.#page(options, (part, page) => part.consumers(page))
  }

  async redrive(ids: readonly string[] | 'all'): Promise<number> {
    return sum(await this.#each((part) => part.redrive(ids)), Number)
  }

  async purge(options?: PurgeOptions): Promise<number> {
    return sum(await this.#each((part) => part.purge(options)), Number)
  }

  async remove(): Promise<void> {
    await this.#each((part) => part.remove())
  }

  /** What those answer that have the group: a consumer that died while it began may have made it in some. Rejects with UNKNOWN_GROUP if none has. */
  async #each<T>(ask: (part: GroupAdmin) => Promise<T>): Promise<T[]> {
    const answers = await Promise.allSettled(this.#parts.map(ask))
    const failed = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
    for (const reason of failed) if (!isUnknownGroup(reason) || failed.length === answers.length) throw reason
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  }

  async #page<Item>(
    options: PageOptions | undefined,
    pageOf: (part: GroupAdmin, options: PageOptions) => Promise<Page<Item>>,
  ): Promise<Page<Item>> {
    const page = await pageOver(this.#parts, options, (part, some) =>
      pageOf(part, some).catch((error: unknown) => {
        if (isUnknownGroup(error)) return { items: [] }
        throw error
      }),
    )
    if (page.items.length === 0) await this.stats()
    return page
  }
}

const isUnknownGroup = (error: unknown): boolean => error instanceof BuswayError && error.code === 'UNKNOWN_GROUP'
