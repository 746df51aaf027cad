/** What `ready` says of a subscription that starts, which it goes on trying to until it is closed. */
import { BuswayError } from '../errors/index.js'
import type { ConsumeDependencies, ScriptRunner } from '../seams.js'
import { shown } from '../validate/names.js'
import type { Patience } from './patience.js'

export class Starting {
  readonly ready: Promise<void>
  #settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: nothing, reject: nothing }
  /** The last that was told of why it cannot start. */
  #trouble: string | undefined

  constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.ready.catch(nothing)
  }

  succeeded(): void {
    this.#settle.resolve()
  }

  failed(error: Error): void {
    this.#settle.reject(error)
  }

  closed(what: string): void {
    this.failed(new BuswayError('BUS_CLOSED', `The subscription to ${what} was closed before it was ready`))
  }

  /** `ready` is told what is wrong with a server as soon as a connection learns it, whatever the subscription waits for. Answers how to end that. */
  heed(runner: ScriptRunner): () => void {
    const heed = (): void => {
      const { problem } = runner
      if (problem !== undefined && !mayPass(problem)) this.failed(problem)
    }
    heed()
    return runner.on('down', heed)
  }

  /** Redis may be back at any time, so nothing ends this but `close`; what will hardly pass by itself is told, once. */
  async troubled(
    error: unknown,
    log: ConsumeDependencies['log'],
    patience: Patience,
    leaving: AbortSignal,
  ): Promise<void> {
    if (leaving.aborted) return
    if (!mayPass(error)) {
      const { message, code } = error as Error & { code?: unknown }
      if (message !== this.#trouble)
        log.error({ code }, `The consumer has not started, and goes on trying until it is closed: ${message}`)
      this.#trouble = message
      this.failed(error as Error)
    }
    await patience.pause(leaving)
  }
}

/** A new group cannot begin with what is not kept. */
export const retainsNothing = (topic: string, group: string): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `consume(${shown(topic)}, from: 'beginning'): the group ${shown(group)} is new, and the topic retains nothing that it could begin with. ` +
      `Give the topic a retain where it is defined, such as retain: '7d', or leave out from.`,
    { details: { topic, group } },
  )

const mayPass = (error: unknown): boolean => error instanceof BuswayError && error.code === 'REDIS_UNAVAILABLE'
const nothing = (): void => undefined
