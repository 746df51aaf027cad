/**
 * Which partition takes messages that nothing assigns to one: each in turn, and as long as a batch for it waits, the same again. So messages that come together share a batch, as in a topic without
 * partitions, and batches are spread.
 */
export class StickyTurn {
  readonly #count: number
  #index: number

  /** `first`: where it begins; anywhere, so that not all processes begin with the same one. */
  constructor(count: number, first: number = Math.floor(Math.random() * count)) {
    this.#count = count
    this.#index = first
  }

  /** `isFilling`: whether a batch for that partition waits, and is not full. */
  next(isFilling: (index: number) => boolean): number {
    if (!isFilling(this.#index)) this.#index = (this.#index + 1) % this.#count
    return this.#index
  }
}
