/**
 * What a producer does where its topic is full and says that publishes wait (`maxWaiting` with the policy `wait`).
 *
 * 1. One request is under way at a time, so that nothing overtakes what is refused. A unit that is refused goes back to the head of the queue, and so
 *    does all behind it: Redis refuses that too.
 * 2. `refused` shuts the way. The request named this bus to be told of room; the first one could not, since the bus listens from the first refusal on.
 * 3. News of room opens the way for as many messages as they say and one unit more, which, if it is refused, asks for the next news.
 * 4. Should news be lost, one unit asks again after a while, or when the connection that they come by is back.
 */

/** News may be lost with the process that was to be told of room at the same time, or with a connection. Not a poll: the usual way is to be told. */
const ASK_AGAIN_MS = 5_000

/** Where news of room in the topic come from. */
export interface RoomNews {
  readonly busId: string
  /** Calls `listener(messages)`; resolves when Redis confirmed the subscription. */
  subscribe(listener: (messages: string) => void): Promise<unknown>
  /** The connection came back; news may have been missed. */
  onBack(listener: () => void): void
}

export class Backpressure {
  readonly #news: RoomNews
  readonly #opened: () => void
  #isShut = false
  #isListening = false
  #joining: Promise<void> | undefined
  /** What was heard since the last request was sent: it may be news of what that was refused for. */
  #heard: number | undefined
  #timer: NodeJS.Timeout | undefined
  /** A request takes no further unit once it has more messages than this. */
  most = Number.POSITIVE_INFINITY
  /** Of the last refusal. */
  reason = ''

  constructor(news: RoomNews, opened: () => void) {
    this.#news = news
    this.#opened = opened
  }

  get isShut(): boolean {
    return this.#isShut
  }

  /** A request is sent for the first time; what it says of units for which there is no room. */
  sent(): { readonly bus?: string } {
    this.#heard = undefined
    return this.#isListening ? { bus: this.#news.busId } : {}
  }

  accepted(): void {
    this.most = Number.POSITIVE_INFINITY
  }

  /** `isNoted`: the request named this bus to be told of room. */
  refused(reason: string, isNoted: boolean): void {
    this.reason = reason
    this.#isShut = true
    if (this.#heard !== undefined) {
      this.#open(this.#heard)
      return
    }
    this.#timer ??= setTimeout(() => this.#open(0), ASK_AGAIN_MS).unref()
    if (isNoted) return
    this.#joining ??= this.#listen()
    void this.#joining.then(() => {
      if (this.#isListening) this.#open(0)
    })
  }

  /** What waited first is gone: what is behind it may need less room. */
  askAgain(): void {
    this.#open(0)
  }

  /** Nothing waits any more. */
  reset(): void {
    this.#isShut = false
    this.most = Number.POSITIVE_INFINITY
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #listen(): Promise<void> {
    const heard = (messages: number): void => {
      this.#heard = messages
      this.#open(messages)
    }
    try {
      await this.#news.subscribe((messages) => heard(Number(messages)))
      this.#isListening = true
      this.#news.onBack(() => heard(0))
    } catch {
      // The bus is closing.
    }
  }

  #open(messages: number): void {
    if (!this.#isShut) return
    this.reset()
    this.most = messages
    this.#opened()
  }
}
