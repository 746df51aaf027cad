/** One caller's `publish` or `publishBatch`: what is accepted or refused as a whole. */
import type { Receipt } from '../api/index.js'
import type { PreparedMessage } from './message.js'

export class Unit {
  readonly messages: readonly PreparedMessage[]
  /** By the monotonic clock. */
  readonly handedOverAt: number
  readonly bytes: number
  readonly #resolve: (receipts: Receipt[]) => void
  readonly #reject: (error: unknown) => void
  #settled = false
  /** It is part of a request, which may be sent. */
  isTaken = false
  /** Told once, when it is accepted or refused. */
  onSettled: (() => void) | undefined

  constructor(
    messages: readonly PreparedMessage[],
    handedOverAt: number,
    resolve: (receipts: Receipt[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.messages = messages
    this.handedOverAt = handedOverAt
    this.#resolve = resolve
    this.#reject = reject
    let bytes = 0
    for (let i = 0; i < messages.length; i++) bytes += (messages[i] as PreparedMessage).bodyBytes
    this.bytes = bytes
  }

  /** Answered, or taken back by its caller. */
  get isSettled(): boolean {
    return this.#settled
  }

  accept(receipts: Receipt[]): void {
    if (this.#settled) return
    this.#settled = true
    this.onSettled?.()
    this.#resolve(receipts)
  }

  refuse(error: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.onSettled?.()
    this.#reject(error)
  }
}
