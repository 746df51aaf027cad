/** What a plugin's setup is given: each call writes one declaration down. */

import { readStats } from '../admin/stats.js'
import { sumOfTopics } from '../admin/sums.js'
import type {
  BatchMiddleware,
  Bus,
  DecodeMiddleware,
  Delivery,
  Events,
  Guard,
  GuardArgs,
  HandleMiddleware,
  Logger,
  PluginScript,
  PublishMiddleware,
  Scope,
  TopicDefinition,
  TopicStats,
} from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import { partitionNames } from '../partitions/names.js'
import type { EncodedBody } from '../publish/encoded-body.js'
import type { Publisher, ScriptRunner } from '../seams.js'
import { checkTopic } from '../validate/names.js'
import type { Declared, OptionCheck } from './declared.js'
import { checkGuard } from './guards.js'
import { reserved } from './reserved.js'
import { runScript } from './scripts.js'

/** What scopes know of the bus that they declare for. */
export interface ScopeSurroundings {
  readonly service: string
  readonly log: Logger
  readonly topics: Readonly<Record<string, TopicDefinition>>
  /** `true` from the composition on: nothing more can be declared. */
  composed(): boolean
  /** Throws until the plugins are started. */
  bus(): Bus
  /** Starts the bus, if nobody has. */
  started(): Promise<Bus>
  /** Throws until the plugins are started. */
  runner(): ScriptRunner
  /** How many each topic has. */
  partitions(topics: readonly string[]): Promise<number[]>
  /** Throws until the plugins are started. */
  publisher(): Pick<Publisher, 'encode'>
}

type ConsumeMiddleware = DecodeMiddleware | HandleMiddleware | BatchMiddleware

export class PluginScope implements Scope {
  readonly service: string
  readonly log: Logger
  readonly topics: Readonly<Record<string, TopicDefinition>>
  readonly #around: ScopeSurroundings
  readonly #declared: Declared
  readonly #plugin: string

  constructor(around: ScopeSurroundings, declared: Declared) {
    this.#around = around
    this.#declared = declared
    this.#plugin = declared.plugin.name
    this.service = around.service
    this.topics = around.topics
    this.log = around.log.child({ plugin: this.#plugin })
  }

  get bus(): Bus {
    return this.#around.bus()
  }

  started(): Promise<Bus> {
    return this.#around.started()
  }

  publish(stage: 'enrich' | 'encode', middleware: PublishMiddleware): void {
    this.#declaring('publish', middleware)
    if (stage !== 'enrich' && stage !== 'encode')
      throw this.#invalid(`publish(${String(stage)}): 'enrich' or 'encode'.`)
    this.#declared[stage].push(middleware)
  }

  consume(stage: 'decode', middleware: DecodeMiddleware): void
  consume(stage: 'handle', middleware: HandleMiddleware): void
  consume(stage: 'batch', middleware: BatchMiddleware): void
  consume(stage: 'decode' | 'handle' | 'batch', middleware: ConsumeMiddleware): void {
    this.#declaring('consume', middleware)
    // The overloads say which middleware belongs to which stage.
    switch (stage) {
      case 'decode':
        this.#declared.decode.push(middleware as DecodeMiddleware)
        return
      case 'handle':
        this.#declared.handle.push(middleware as HandleMiddleware)
        return
      case 'batch':
        this.#declared.batch.push(middleware as BatchMiddleware)
        return
      default:
        throw this.#invalid(`consume(${String(stage)}): 'decode', 'handle' or 'batch'.`)
    }
  }

  observe<E extends keyof Events>(event: E, observer: (event: Events[E]) => void): void {
    this.#declaring('observe', observer)
    const { observers } = this.#declared
    if (!Object.hasOwn(observers, event)) {
      throw this.#invalid(`observe(${String(event)}): ${Object.keys(observers).join(', ')}.`)
    }
    observers[event].push(observer)
  }

  option(where: 'publish' | 'consume', name: string, check: OptionCheck): void {
    this.#declaring('option', check)
    if (where !== 'publish' && where !== 'consume')
      throw this.#invalid(`option(${String(where)}): 'publish' or 'consume'.`)
    this.#claim(`option '${name}' of ${where}`, name, reserved[where], this.#declared.options[where])
    this.#declared.options[where].set(name, check)
  }

  context(name: string, make: (delivery: Delivery) => unknown): void {
    this.#declaring('context', make)
    this.#claim(`context property '${name}'`, name, reserved.context, this.#declared.context)
    this.#declared.context.set(name, make)
  }

  logBindings(bindings: () => Record<string, unknown>): void {
    this.#declaring('logBindings', bindings)
    this.#declared.logBindings.push(bindings)
  }

  async stats(topics: readonly string[]): Promise<Record<string, TopicStats>> {
    const runner = this.#around.runner()
    for (const topic of topics) checkTopic(topic, true)
    const partitions = await this.#around.partitions(topics)
    // One pipeline on the wire: the calls leave together.
    const entries = await Promise.all(
      topics.map(async (name, i) => {
        const places = partitionNames(name, partitions[i] ?? 1)
        const all = await Promise.all(places.map(async (place) => (await readStats({ runner }, place)).stats))
        return [name, all.length === 1 ? (all[0] as TopicStats) : sumOfTopics(all)] as const
      }),
    )
    return Object.fromEntries(entries)
  }

  async encode(topic: string, body: unknown, options: object = {}): Promise<EncodedBody> {
    return this.#around.publisher().encode(topic, body, options)
  }

  script<A extends GuardArgs, R = unknown>(script: PluginScript): (topic: string, ...args: A) => Promise<R> {
    this.#declaring('script', script?.keys)
    if (typeof script.name !== 'string' || typeof script.lua !== 'string') {
      throw this.#invalid('a script is an object { name, keys, lua }.')
    }
    if (this.#declared.scripts.some(({ name }) => name === script.name)) {
      throw this.#invalid(`it has two scripts named '${script.name}'.`)
    }
    this.#declared.scripts.push(script)
    // What Lua answers is known to the plugin alone.
    return (topic, ...args) => runScript(this.#around.runner(), this.#plugin, script, topic, args) as Promise<R>
  }

  guard(guard: Guard): void {
    this.#declaring('guard', guard?.args)
    checkGuard(this.#plugin, guard, this.#declared.guards)
    this.#declared.guards.push(guard)
  }

  ready(start: () => Promise<void> | void): void {
    this.#declaring('ready', start)
    this.#declared.starts.push(start)
  }

  close(stop: () => Promise<void> | void): void {
    this.#declaring('close', stop)
    this.#declared.stops.push(stop)
  }

  #declaring(what: string, given: unknown): void {
    if (this.#around.composed()) {
      throw new BuswayError(
        'BUS_STARTED',
        `Plugin '${this.#plugin}': scope.${what}() belongs into setup(); the bus has started.`,
        { details: { plugin: this.#plugin } },
      )
    }
    if (typeof given !== 'function') throw this.#invalid(`scope.${what}() was given ${typeof given} for a function.`)
  }

  #claim(what: string, name: unknown, kernel: readonly string[], own: ReadonlyMap<string, unknown>): void {
    if (typeof name !== 'string' || name === '' || name === '__proto__') throw this.#invalid(`${what} is no name.`)
    if (kernel.includes(name)) throw this.#invalid(`${what} belongs to the bus; choose another name.`)
    if (own.has(name)) throw this.#invalid(`it declares ${what} twice.`)
  }

  #invalid(what: string): BuswayError {
    return new BuswayError('CONFIG_INVALID', `Plugin '${this.#plugin}': ${what}`, { details: { plugin: this.#plugin } })
  }
}
