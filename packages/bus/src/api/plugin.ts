/** What a plugin is. docs/plugins.md is the guide; what its setup is given is in scope.ts. */
import type { Scope } from './scope.js'

/**
 * A plugin is a value: what it is called, what it needs, and a `setup` that declares what it does. It is registered with `createBus({ plugins })` or `use`.
 *
 * @example
 * const stamp = (): Plugin<'stamp'> => ({
 *   name: 'stamp',
 *   api: 1,
 *   setup(scope) {
 *     scope.publish('enrich', async (batch, next) => {
 *       for (const message of batch.messages) message.headers.stampedBy = scope.service
 *       return next()
 *     })
 *   },
 * })
 */
export interface Plugin<N extends string = string> {
  /** Unique in a bus; the key of its `PluginTypes`. Lower case letters, digits and dashes. */
  readonly name: N
  /** The version of this contract. */
  readonly api: 1
  /** Names of plugins that must be registered too. Their being missing is `CONFIG_INVALID` at `ready`. */
  readonly requires?: readonly string[]
  /** Names of plugins that this one is outside of, if they are there. */
  readonly before?: readonly string[]
  /** Names of plugins that this one is inside of, if they are there. */
  readonly after?: readonly string[]
  /** Declares, and does no I/O: that belongs into `scope.ready`. What it returns becomes part of the bus. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a setup without a return is the usual one
  setup(scope: Scope): BusAdditions | void
}

/** Properties that a plugin adds to the bus; two plugins with the same one, or one of the bus itself, are `CONFIG_INVALID`. */
export type BusAdditions = object

/** What a plugin's package exports, so that a deployment file can name it. */
export interface PluginModule<N extends string = string, O = unknown> {
  default: (options?: O) => Plugin<N>
  /** JSON Schema of the options. */
  options: object
}
