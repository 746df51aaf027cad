/**
 * The public contract of Busway, as types. In the order to read: what is said (topics, message, options, receipt), where (bus, subscription,
 * admin), and how to add to it (plugin, scope, middleware, guard, events, plugin-types).
 *
 * Only `export *` here and in the package's entry: an interface re-exported by name could not be augmented through the entry
 * (`declare module '@busway/bus' { interface PluginTypes ... }`); test/types holds that.
 */
export * from './admin.js'
export * from './batch.js'
export * from './bus.js'
export * from './cluster.js'
export * from './delivery.js'
export * from './durability.js'
export * from './duration.js'
export * from './events.js'
export * from './guard.js'
export * from './inspection.js'
export * from './listing.js'
export * from './logger.js'
export * from './message.js'
export * from './middleware.js'
export * from './options.js'
export * from './outgoing.js'
export * from './patterns.js'
export * from './plugin.js'
export * from './plugin-types.js'
export * from './receipt.js'
export * from './scope.js'
export * from './standard-schema.js'
export * from './subscription.js'
export * from './topics.js'
