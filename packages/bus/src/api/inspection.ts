import type { Events } from './events.js'

/** A plugin as `inspect` shows it. */
export interface InspectedPlugin {
  readonly name: string
  readonly requires: readonly string[]
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** What `bus.inspect()` answers. Names of plugins are in their order, outermost first. */
export interface Inspection {
  readonly service: string
  readonly plugins: readonly InspectedPlugin[]
  readonly chains: Readonly<Record<'enrich' | 'encode' | 'decode' | 'handle' | 'batch', readonly string[]>>
  /** As `plugin/guard`. */
  readonly guards: Readonly<Record<'publish' | 'fetch' | 'settle', readonly string[]>>
  /** As `plugin/script`. */
  readonly scripts: readonly string[]
  /** Option -> plugin. */
  readonly options: Readonly<Record<'publish' | 'consume', Readonly<Record<string, string>>>>
  /** Property -> plugin. */
  readonly context: Readonly<Record<string, string>>
  /** Property -> plugin. */
  readonly bus: Readonly<Record<string, string>>
  readonly observers: Readonly<Record<keyof Events, readonly string[]>>
  /** The same as text, for people. */
  toString(): string
}
