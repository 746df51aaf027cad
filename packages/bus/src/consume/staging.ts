/** The publishes of one run, in the order of the calls, kept until its settle. */
import type { StagedPublish } from '@busway/lua'

/** Knows whether anybody waits for it: an error that the handler caught is its own business, one that it never looked at fails the run. */
class Staged extends Promise<undefined> {
  isAwaited = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise that notices being awaited
  override then<A = undefined, B = never>(
    fulfilled?: ((value: undefined) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isAwaited = true
    return super.then(fulfilled, rejected)
  }
}

interface Entry {
  readonly promise: Staged
  staged: StagedPublish | undefined
  error: unknown
}

export class Staging {
  readonly #entries: Entry[] = []
  #pending = 0
  #onIdle: (() => void) | undefined

  /** Takes its place now, so that a slow encoding does not change the order. `refusal`, asked when it is encoded: why it may be published no more. */
  add(encoding: Promise<StagedPublish>, refusal: () => Error | undefined): Promise<void> {
    let settle: { resolve: (value: undefined) => void; reject: (error: unknown) => void } | undefined
    const promise = new Staged((resolve, reject) => {
      settle = { resolve, reject }
    })
    const entry: Entry = { promise, staged: undefined, error: undefined }
    this.#entries.push(entry)
    this.#pending++
    const end = (error: unknown, staged?: StagedPublish): void => {
      entry.staged = staged
      entry.error = error
      // Nobody may be waiting; `all` reports it then, and it must not end the process.
      if (error !== undefined) Promise.prototype.then.call(promise, undefined, () => undefined)
      if (error === undefined) settle?.resolve(undefined)
      else settle?.reject(error)
      if (--this.#pending === 0) this.#onIdle?.()
    }
    encoding.then((staged) => {
      const refused = refusal()
      if (refused === undefined) end(undefined, staged)
      else end(refused)
    }, end)
    return promise
  }

  /** All that was staged. Waits for what the handler did not wait for, and rejects with its error: all or nothing holds for that too. */
  async all(): Promise<readonly StagedPublish[]> {
    while (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    const staged: StagedPublish[] = []
    for (const entry of this.#entries) {
      if (entry.staged !== undefined) staged.push(entry.staged)
      else if (!entry.promise.isAwaited) throw entry.error
    }
    return staged
  }
}
