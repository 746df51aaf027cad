/** A plugin's Lua inside the kernel's scripts. docs/guards.md is the contract of what the Lua sees and answers. */
import type { Delivery, Outcome } from './delivery.js'
import type { Outgoing } from './outgoing.js'

/** What a guard's TypeScript half hands to its Lua half. Arrives as strings. */
export type GuardArgs = readonly (string | number | Uint8Array)[]

/** The subscription for which a fetch guard gives arguments. */
export interface FetchSubject {
  readonly topic: string
  readonly group: string
  readonly options: Readonly<Record<string, unknown>>
  /** Of the topic; 1 if it has none. Each has keys of its own: what a guard cannot keep exactly over several it refuses, by throwing `CONFIG_INVALID` in `args`. */
  readonly partitions: number
}

/** Decides, in the publish script, whether a message is accepted. */
export interface PublishGuard {
  readonly at: 'publish'
  readonly name: string
  /** Names of the keys it uses, in the plugin's own part of the topic's keys. */
  keys(topic: string): readonly string[]
  /** Called once per message; `undefined`: this message does not meet the guard, and nothing is paid. */
  args(message: Outgoing): GuardArgs | undefined
  /** A chunk that returns `{ check?, apply? }`. */
  readonly lua: string
}

/** Decides, in the fetch, how many messages a subscription may take now. */
export interface FetchGuard {
  readonly at: 'fetch'
  readonly name: string
  keys(topic: string, group: string): readonly string[]
  /** Called once per subscription; `undefined`: this subscription does not meet the guard. */
  args(subscription: FetchSubject): GuardArgs | undefined
  /** A chunk that returns `{ check?, checkKey?, skip?, apply?, applyKey? }`. */
  readonly lua: string
}

/** Writes, in the settle, what its own consumer wants to remember. */
export interface SettleGuard {
  readonly at: 'settle'
  readonly name: string
  keys(topic: string, group: string): readonly string[]
  /** Called once per settle; `undefined`: this settle does not meet the guard. */
  args(delivery: Delivery, outcome: Outcome): GuardArgs | undefined
  /** A chunk that returns `{ apply }`. */
  readonly lua: string
}

/** A plugin's Lua, run inside the kernel's scripts, so that it is decided and written with them. See docs/guards.md. */
export type Guard = PublishGuard | FetchGuard | SettleGuard
