/** Starting and stopping: `ready` functions in order before the first fetch, `close` functions in reverse after the drain. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Declared } from './declared.js'

export class Lifecycle {
  readonly #inside = new AsyncLocalStorage<true>()
  readonly #log: Logger
  /** Those that began to start, in order; what began must be stopped. */
  readonly #started: Declared[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** Called from within a plugin's `ready`: the bus must not wait there for its plugins to be ready. */
  insideReady(): boolean {
    return this.#inside.getStore() === true
  }

  /** Starts each plugin once. Rejects with CONFIG_INVALID, its cause being what the plugin threw; then the rest is not started. One call at a time. */
  async start(plugins: readonly Declared[]): Promise<void> {
    try {
      for (const declared of plugins) {
        if (this.#started.includes(declared)) continue
        this.#started.push(declared)
        for (const start of declared.starts) await this.#run(declared, start)
      }
    } finally {
      // As long as one storage is in use Node follows every promise of the process, which costs more than a message does.
      this.#inside.disable()
    }
  }

  async #run({ plugin }: Declared, start: () => Promise<void> | void): Promise<void> {
    try {
      await this.#inside.run(true, async () => start())
    } catch (error) {
      throw this.#failed(plugin.name, error)
    }
  }

  /** Never rejects: what fails is logged, so that the others are stopped too. */
  async stop(): Promise<void> {
    for (const { plugin, stops } of this.#started.splice(0).reverse()) {
      for (const stop of [...stops].reverse()) {
        try {
          await stop()
        } catch (error) {
          this.#log.error(
            { err: error, plugin: plugin.name },
            'A plugin failed to close; the others are closed all the same',
          )
        }
      }
    }
  }

  #failed(plugin: string, cause: unknown): BuswayError {
    if (cause instanceof BuswayError) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new BuswayError('CONFIG_INVALID', `Plugin '${plugin}' could not start: ${reason}`, {
      cause,
      details: { plugin },
    })
  }
}
