/**
 * The plugins of one bus, from registration to close:
 *
 *   1. `add` (createBus, use): checks the plugin's shape, runs its setup, puts its additions on the bus
 *   2. `compose` (first step of ready): sorts, composes the chains; from here on nothing can be declared
 *   3. `guards` and `scripts`: their Lua, for the scripts that the runner loads
 *   4. `start` (last step of ready, before the first fetch): the `ready` functions, in order
 *   5. `stop` (after the drain, before the connections close): the `close` functions, in reverse
 */
import type { GuardLua, GuardStage } from '@busway/lua'
import type { Bus, Inspection, Logger, TopicDefinition } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Pipeline, Publisher, ScriptRunner } from '../seams.js'
import type { TopicRegistry } from '../topics/registry.js'
import { addToBus } from './additions.js'
import { type Declared, nothingDeclared } from './declared.js'
import { guardLua } from './guards.js'
import { inspectPlugins } from './inspect.js'
import { Lifecycle } from './lifecycle.js'
import { inOrder } from './order.js'
import { composePipeline } from './pipeline.js'
import { checkSchemas } from './schemas.js'
import { PluginScope } from './scope.js'
import { type ScriptSource, scriptSources } from './scripts.js'
import { checkShape } from './shape.js'

export interface PluginsDependencies {
  readonly service: string
  readonly log: Logger
  readonly topics: Readonly<Record<string, TopicDefinition>>
  /** What additions are put on, and what `scope.bus` gives. */
  readonly bus: object
  /** Default: the process is in development, NODE_ENV being anything but `production`. */
  readonly strict?: boolean
}

type Registry = Pick<TopicRegistry, 'partitions'>

export interface Plugins {
  /** Registers a plugin. Throws CONFIG_INVALID, or BUS_STARTED after `compose`. */
  add(plugin: unknown): void
  /** Sorts and composes; again, it answers the same. Throws CONFIG_INVALID for a cycle, a missing `requires`, or a schema without its plugin. */
  compose(): Pipeline
  /** The composed pipeline; before that one that knows the options, in the order of registration. */
  pipeline(): Pipeline
  /** For `compose` of @busway/lua. */
  guards(): Record<GuardStage, readonly GuardLua[]>
  /** For its `composePluginScript`, and by these names for `runner.runPlugin`. */
  scripts(): readonly ScriptSource[]
  start(runner: ScriptRunner, publisher: Pick<Publisher, 'encode'>, registry: Registry): Promise<void>
  /** Whether the caller is within a plugin's `ready`, where waiting for the bus' would never end. */
  insideReady(): boolean
  stop(): Promise<void>
  inspect(): Inspection
}

export function createPlugins({ service, log, topics, bus, strict = inDevelopment() }: PluginsDependencies): Plugins {
  const registered: Declared[] = []
  const lifecycle = new Lifecycle(log)
  let sorted: readonly Declared[] | undefined
  let pipeline: Pipeline | undefined
  let runner: ScriptRunner | undefined
  let publisher: Pick<Publisher, 'encode'> | undefined
  let registry: Registry | undefined

  const notYet = (what: string): BuswayError =>
    new BuswayError(
      'CONFIG_INVALID',
      `${what} is there from ready on: use it in scope.ready(), in a middleware or in a handler.`,
    )
  const surroundings = {
    service,
    log,
    topics,
    composed: () => sorted !== undefined,
    bus() {
      if (runner === undefined) throw notYet('scope.bus')
      // The bus implements its own type and bears the additions of the plugins: what a plugin sees is any bus.
      return bus as Bus
    },
    async started() {
      if (runner === undefined) await (bus as Bus).ready()
      return bus as Bus
    },
    runner() {
      if (runner === undefined) throw notYet("A plugin's script")
      return runner
    },
    partitions(topics: readonly string[]) {
      if (registry === undefined) throw notYet('scope.stats')
      return registry.partitions(topics)
    },
    publisher() {
      if (publisher === undefined) throw notYet('scope.encode')
      return publisher
    },
  }
  const order = (): readonly Declared[] => {
    if (sorted !== undefined) return sorted
    const names = inOrder(registered.map(({ plugin }) => plugin)).map(({ name }) => name)
    return [...registered].sort((a, b) => names.indexOf(a.plugin.name) - names.indexOf(b.plugin.name))
  }

  const composed = (): Pipeline => {
    pipeline ??= composePipeline(sorted ?? registered, log, strict)
    return pipeline
  }

  return {
    add(plugin) {
      if (sorted !== undefined) {
        throw new BuswayError(
          'BUS_STARTED',
          'Plugins are registered before the bus is ready: before its first publish or await ready().',
        )
      }
      checkShape(plugin)
      if (registered.some((other) => other.plugin.name === plugin.name)) {
        throw new BuswayError('CONFIG_INVALID', `Plugin '${plugin.name}' is registered twice.`, {
          details: { plugin: plugin.name },
        })
      }
      const declared = nothingDeclared(plugin)
      const additions = plugin.setup(new PluginScope(surroundings, declared))
      checkClashes(declared, registered)
      declared.additions.push(
        ...addToBus(
          bus,
          plugin.name,
          additions,
          ownersOf(registered, (d) => d.additions),
        ),
      )
      registered.push(declared)
      pipeline = undefined
    },
    compose() {
      if (sorted === undefined) {
        checkSchemas(
          topics,
          registered.map(({ plugin }) => plugin.name),
        )
        sorted = order()
        pipeline = undefined
      }
      return composed()
    },
    pipeline: composed,
    guards: () => guardLua(order()),
    scripts: () => scriptSources(order()),
    start(...given) {
      ;[runner, publisher, registry] = given
      return lifecycle.start(order())
    },
    insideReady: () => lifecycle.insideReady(),
    stop: () => lifecycle.stop(),
    inspect: () => inspectPlugins(service, order()),
  }
}

const inDevelopment = (): boolean => process.env.NODE_ENV !== 'production'

/** Two plugins must not mean different things by one name. */
function checkClashes(added: Declared, registered: readonly Declared[]): void {
  const places: [string, (declared: Declared) => Iterable<string>][] = [
    ['option of publish', (declared) => declared.options.publish.keys()],
    ['option of consume', (declared) => declared.options.consume.keys()],
    ['context property', (declared) => declared.context.keys()],
  ]
  for (const [place, of] of places) {
    const owners = ownersOf(registered, of)
    for (const name of of(added)) {
      const owner = owners.get(name)
      if (owner === undefined) continue
      throw new BuswayError(
        'CONFIG_INVALID',
        `Plugin '${added.plugin.name}': it declares the ${place} '${name}', as plugin '${owner}' does; register one of them.`,
        { details: { plugin: added.plugin.name } },
      )
    }
  }
}

const ownersOf = (plugins: readonly Declared[], of: (declared: Declared) => Iterable<string>): Map<string, string> =>
  new Map(plugins.flatMap((declared) => [...of(declared)].map((name) => [name, declared.plugin.name] as const)))
