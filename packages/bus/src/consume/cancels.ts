/** Cancels of what is leased: read from the wake channel, and kept for leases whose fetch has not arrived yet. */

/** A message of a lease, by its position in its batch. */
export interface CancelledMessage {
  readonly lease: number
  readonly index: number
}

const PAYLOAD = /^\S+ (\S+) cancel (\d+) (\d+)$/

/** What a payload asks of this session; `undefined` if it is not for it. */
export function readCancel(payload: string, session: string): CancelledMessage | undefined {
  const [, to, lease, index] = PAYLOAD.exec(payload) ?? []
  return to === session ? { lease: Number(lease), index: Number(index) } : undefined
}

/** The news come on another connection than the leases that they are of, and may overtake them. */
export class EarlyCancels {
  readonly #indexes = new Map<number, number[]>()

  keep({ lease, index }: CancelledMessage): void {
    const known = this.#indexes.get(lease)
    if (known === undefined) this.#indexes.set(lease, [index])
    else known.push(index)
  }

  /** Those of a lease that has arrived. */
  take(lease: number): readonly number[] {
    const indexes = this.#indexes.get(lease) ?? []
    this.#indexes.delete(lease)
    return indexes
  }
}
