/** Calls that came before the plugins had started: kept in their order, each as long as its caller waits. */
import { AsyncResource } from 'node:async_hooks'

interface Waiting {
  run(): void
  fail(error: unknown): void
}

export class WaitingCalls {
  readonly #waiting = new Set<Waiting>()

  /** Resolves as `call` does once `runAll` ran it; rejects with `tooLate()` after `timeoutMs`. */
  add<T>(call: () => Promise<T>, timeoutMs: number, tooLate: () => Error): Promise<T> {
    // It runs when somebody else's start has ended; its middleware is to see its caller's async context all the same.
    const inContext = AsyncResource.bind(call)
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(waiting)
      }
      const waiting: Waiting = {
        run() {
          end()
          try {
            resolve(inContext())
          } catch (error) {
            reject(error)
          }
        },
        fail(error) {
          end()
          reject(error)
        },
      }
      const timer = setTimeout(() => waiting.fail(tooLate()), timeoutMs)
      this.#waiting.add(waiting)
    })
  }

  runAll(): void {
    for (const waiting of this.#waiting) waiting.run()
  }

  failAll(error: unknown): void {
    for (const waiting of this.#waiting) waiting.fail(error)
  }
}
