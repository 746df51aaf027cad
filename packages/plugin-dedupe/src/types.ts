/** What the plugin adds, as types. Nothing here runs. */
import type { Duration } from '@busway/bus'

/**
 * What becomes of a message whose key is known already:
 *
 * - `window`: it is dropped, for a time after the first
 * - `until-settled`: it is dropped, until every group has ended the first, however and wherever it ends
 * - `debounce`: it takes the place of the first if that waits, and its time begins anew: the last of a burst is handled, once
 * - `keep-latest`: it takes the place of the one that waits; one that runs goes on. So one runs, and the newest waits
 */
export type DedupeMode = 'window' | 'until-settled' | 'debounce' | 'keep-latest'

/** The option `dedupe` of `publish`. */
export interface DedupeOptions {
  /** What tells messages apart, 1 to 500 characters. Default: the message's own `id`, else a hash of its body. */
  key?: string
  /** Default: that of the plugin, `window`. */
  mode?: DedupeMode
  /** How long `window` remembers, and `debounce` waits. Default: that of the plugin, `1m`. */
  window?: Duration
}

/** The option `inbox` of `consume`: what this group has done is acknowledged without a run when it comes again under its id. */
export interface InboxOptions {
  /** How long it remembers. */
  window: Duration
}

/** The options of the plugin: what `dedupe: true`, or one that leaves something out, stands for. */
export interface DedupeDefaults {
  /** Default: `window`. */
  mode?: DedupeMode
  /** Default: `1m`. */
  window?: Duration
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    dedupe: { publish: { dedupe?: boolean | DedupeOptions }; consume: { inbox?: InboxOptions } }
  }
}
