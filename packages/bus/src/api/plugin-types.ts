/**
 * What plugins add to the types of the bus, by plugin name. A plugin augments it, `T` being the topics of the bus it is used on:
 *
 * @example
 * declare module '@busway/bus' {
 *   interface PluginTypes<T> {
 *     tenant: { publish: { tenant?: string }; consume: {}; context: { tenant: string }; bus: { tenants(): Promise<string[]> } }
 *   }
 * }
 */
// Empty; extends what it does only to mention T, which those who augment it use.
export interface PluginTypes<T extends object> extends Record<never, T> {}

/** The places that a plugin can add to: the options of `publish` and `consume`, the handler's context, the bus itself. */
export type PluginPlace = 'bus' | 'publish' | 'consume' | 'context'

/** All that the plugins named `P` add at one place. Plugins that say nothing add nothing. */
export type Adds<T extends object, P extends string, Place extends PluginPlace> = (
  P extends unknown
    ? (each: Added<T, P, Place>) => void
    : never
) extends (all: infer All) => void
  ? All
  : never

type Added<T extends object, P extends string, Place extends PluginPlace> = P extends keyof PluginTypes<T>
  ? PluginTypes<T>[P] extends { [K in Place]: infer Addition }
    ? Addition
    : unknown
  : unknown
