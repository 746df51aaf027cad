/** What one plugin declared in its setup: data, filled by its Scope and read when the bus starts. */
import type {
  BatchMiddleware,
  DecodeMiddleware,
  Delivery,
  Events,
  Guard,
  HandleMiddleware,
  Plugin,
  PluginScript,
  PublishMiddleware,
} from '../api/index.js'

/** Answers what a value should be, or `undefined` if it is fine. */
export type OptionCheck = (value: unknown) => string | undefined

/** The observers of each event, in the order of their registration. */
export type Observers = { readonly [E in keyof Events]: ((event: Events[E]) => void)[] }

export interface Declared {
  readonly plugin: Plugin
  readonly enrich: PublishMiddleware[]
  readonly encode: PublishMiddleware[]
  readonly decode: DecodeMiddleware[]
  readonly handle: HandleMiddleware[]
  readonly batch: BatchMiddleware[]
  readonly observers: Observers
  readonly options: { readonly publish: Map<string, OptionCheck>; readonly consume: Map<string, OptionCheck> }
  readonly context: Map<string, (delivery: Delivery) => unknown>
  readonly logBindings: (() => Record<string, unknown>)[]
  readonly scripts: PluginScript[]
  readonly guards: Guard[]
  readonly starts: (() => Promise<void> | void)[]
  readonly stops: (() => Promise<void> | void)[]
  /** Names that it added to the bus. */
  readonly additions: string[]
}

export const nothingDeclared = (plugin: Plugin): Declared => ({
  plugin,
  enrich: [],
  encode: [],
  decode: [],
  handle: [],
  batch: [],
  observers: { published: [], subscribed: [], fetched: [], settled: [], recovered: [], redriven: [], connection: [] },
  options: { publish: new Map(), consume: new Map() },
  context: new Map(),
  logBindings: [],
  scripts: [],
  guards: [],
  starts: [],
  stops: [],
  additions: [],
})
