/** The producers of a topic's partitions, as one: each unit goes to one partition, chosen by a key or in turn. */
import type { Receipt } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { partitionOfKey } from '../partitions/names.js'
import { StickyTurn } from '../partitions/sticky.js'
import type { PreparedMessage } from './message.js'
import type { Producer } from './producer.js'

/** Of messages that nothing assigns to a partition. */
const anywhere: readonly undefined[] = [undefined]

export class PartitionedProducer {
  readonly #topic: string
  readonly #names: readonly string[]
  readonly #make: (partition: string) => Producer
  readonly #producers: (Producer | undefined)[]
  readonly #turn: StickyTurn

  /** `names`: of the partitions. `make` is called when one is first published to. */
  constructor(topic: string, names: readonly string[], make: (partition: string) => Producer) {
    this.#topic = topic
    this.#names = names
    this.#make = make
    this.#producers = names.map(() => undefined)
    this.#turn = new StickyTurn(names.length)
  }

  /** `by`: what chooses the partition of each message, where something does. Throws INVALID_OPTIONS if that is not the same one for all. */
  enqueue(
    messages: readonly PreparedMessage[],
    signal: AbortSignal | undefined,
    by: readonly (string | undefined)[] = anywhere,
  ): Promise<Receipt[]> {
    return this.#of(this.#choose(by)).enqueue(messages, signal)
  }

  enqueueOne(message: PreparedMessage): Promise<Receipt> {
    return this.#of(this.#choose(anywhere)).enqueueOne(message)
  }

  /** Where one message goes that is not published from here: the partition, and its producer. */
  place(by: string | undefined): { readonly partition: string; readonly producer: Producer } {
    const index = this.#choose([by])
    return { partition: this.#names[index] as string, producer: this.#of(index) }
  }

  /** Those that there are so far. */
  get producers(): Producer[] {
    return this.#producers.filter((producer) => producer !== undefined)
  }

  #of(index: number): Producer {
    let producer = this.#producers[index]
    if (producer === undefined) {
      producer = this.#make(this.#names[index] as string)
      this.#producers[index] = producer
    }
    return producer
  }

  #choose(by: readonly (string | undefined)[]): number {
    let chosen: number | undefined
    for (const key of by) {
      if (key === undefined) continue
      const index = partitionOfKey(key, this.#names.length)
      chosen ??= index
      if (index !== chosen) throw this.#severalFor(key)
    }
    return chosen ?? this.#turn.next((index) => this.#producers[index]?.isFilling === true)
  }

  #severalFor(key: string): BuswayError {
    return new BuswayError(
      'INVALID_OPTIONS',
      `publishBatch: the batch is all or none, so it goes to one partition of ${this.#topic}, and its keys and ids choose several (${JSON.stringify(key)} another than the first). ` +
        'Publish what has different keys apart.',
      { details: { topic: this.#topic, key } },
    )
  }
}
