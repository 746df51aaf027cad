/** `bus.on`: who listens to what. What a listener throws is logged and stops nobody. */
import type { BusEvents, Logger } from './api/index.js'
import { BuswayError } from './errors/busway-error.js'
import { shown } from './validate/names.js'

type Listener = (payload: never) => void

const events = ['error', 'connection', 'rollback', 'abandoned'] as const satisfies readonly (keyof BusEvents)[]

export class BusListeners {
  readonly #log: Logger
  readonly #listeners = new Map<string, Set<Listener>>(events.map((event) => [event, new Set()]))

  constructor(log: Logger) {
    this.#log = log
  }

  /** Throws INVALID_OPTIONS for an event that does not exist. */
  on(event: keyof BusEvents, listener: Listener): () => void {
    const listeners = this.#listeners.get(event)
    if (listeners === undefined || typeof listener !== 'function') {
      throw new BuswayError(
        'INVALID_OPTIONS',
        `on(${shown(event)}): there are ${events.join(', ')}, each with a function that is called.`,
      )
    }
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  readonly report = <E extends keyof BusEvents>(event: E, payload: BusEvents[E]): void => {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        ;(listener as (payload: BusEvents[E]) => void)(payload)
      } catch (error) {
        this.#log.error({ err: error, event }, 'A listener of the bus failed')
      }
    }
  }
}
