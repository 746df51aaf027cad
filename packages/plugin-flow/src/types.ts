/** What the plugin adds to the bus and to the handler's context, as types. Nothing here runs. */
import type { Duration, Inspection, PublishOptionsCore, Report } from '@busway/bus'

/** The options of the plugin. */
export interface FlowOptions {
  /** Whether this process coordinates: releases parents when their children have ended. `false`: it only publishes and looks. Default: true. */
  coordinate?: boolean
  /** How many ends this process handles at once. Default: 100. */
  concurrency?: number
  /** How long after its death others handle what this process was about to. Default: `10s`. */
  lease?: Duration
  /** How long a flow can be looked at once it has ended. Default: `1h`. */
  keep?: Duration
  /**
   * How long an open flow is kept in which no message ends: a failover without `durability` may have forgotten one that it waits for. Longer than its longest
   * delay. Default: `90d`.
   */
  abandonAfter?: Duration
}

/**
 * What a child's failure means to a parent: it fails as well, at once (`fail`); the child counts as ended (`continue`); or it waits for the child's dead
 * letter to be redriven (`wait`). A child that can't come back (expired, cancelled, purged) is a failure for `wait` too.
 */
export type FailurePolicy = 'fail' | 'continue' | 'wait'

/** Options of `publish` that a node's message is published with, once it is ready. */
export interface NodeOptions
  extends Pick<
    PublishOptionsCore,
    'type' | 'key' | 'headers' | 'priority' | 'position' | 'delay' | 'expiresIn' | 'keepResult'
  > {}

/** A message of a flow, and those it waits for. */
export type FlowNode<T extends object = Record<string, unknown>> = {
  [K in keyof T & string]: { topic: K; body: T[K] } & NodeOptions & NodeSettings<T>
}[keyof T & string]

/** What a node says beside its message. */
export interface NodeSettings<T extends object = Record<string, unknown>> {
  /** What it is called: by other nodes, and by `ctx.children()`. Unique in its flow. Default: none. */
  name?: string
  /** What it waits for: nodes, or the names of nodes that stand elsewhere in the flow. Default: nothing. */
  children?: readonly (FlowNode<T> | string)[]
  /** What it makes of a child's failure, unless that child says so itself. Default: `fail`. */
  onChildFailure?: FailurePolicy
  /** What its own failure means to whoever waits for it. Default: as they say. */
  onFailure?: FailurePolicy
  /** The group whose end is the node's end. Default: when every group that had the message has ended it; it failed if one failed. */
  group?: string
}

/** How one group ended a child. */
export type ChildResult = Pick<Report, 'group' | 'outcome' | 'result' | 'error'>

/** A child that has ended, as its parent's handler sees it. */
export interface FlowChild {
  readonly id: string
  readonly topic: string
  readonly name?: string
  /** `failed`: in a group, or because of a child of its own. */
  readonly outcome: 'done' | 'failed'
  /** What its handler returned; of the first group, where there are several. */
  readonly result?: unknown
  /** Why it failed. */
  readonly error?: { readonly name: string; readonly message: string }
  readonly results: readonly ChildResult[]
}

/**
 * `waiting` for its children; `published`, and not ended by its groups; `waiting-again` for children that its handler added; `dead`: its dead letter is
 * waited for; `skipped`: nobody needs it any more.
 */
export type NodeState = 'waiting' | 'published' | 'waiting-again' | 'done' | 'failed' | 'dead' | 'skipped' | 'cancelled'

/** A node as it stands. One that several wait for stands beneath each of them. */
export interface FlowNodeInfo {
  readonly id: string
  readonly topic: string
  readonly name?: string
  readonly state: NodeState
  readonly error?: { readonly name: string; readonly message: string }
  readonly children: readonly FlowNodeInfo[]
}

/** A flow as it stands. `String(flow)` draws it. */
export interface FlowInfo {
  readonly id: string
  readonly state: 'open' | 'done' | 'failed' | 'cancelled'
  readonly startedAt: Date
  readonly root: FlowNodeInfo
  toString(): ReturnType<Inspection['toString']>
}

export interface FlowReceipt {
  readonly id: string
  /** `duplicate`: there is a flow of that id, and nothing was published. */
  readonly status: 'accepted' | 'duplicate'
  /** How many messages it has. */
  readonly messages: number
}

/** `bus.flows`. Works from any process that has the plugin. Bad input rejects with `INVALID_OPTIONS`, `INVALID_TOPIC` or `INVALID_BODY`, before anything is written. */
export interface Flows<T extends object = Record<string, unknown>> {
  /**
   * Publishes a tree, or by names a graph, of messages over topics, all or none. Those without children are published now, a parent when its children have
   * ended. At most 20,000 messages.
   *
   * @example
   * await bus.flows.publish({
   *   topic: 'reports.assembled', body: { day: 1 },
   *   children: airports.map((airport) => ({ topic: 'reports.parts', body: { airport } })),
   * })
   */
  publish(root: FlowNode<T>, options?: { id?: string }): Promise<FlowReceipt>
  /** `null` if there is none of that id, or it ended longer ago than `keep`. */
  get(id: string): Promise<FlowInfo | null>
  /** Ends it: what waits is cancelled, what runs is asked to stop, nothing more is published. Resolves with whether it was open. */
  cancel(id: string): Promise<boolean>
}

/** What a handler returns to run again when its children have ended: made by `ctx.waitFor`. */
export interface FlowWait {
  readonly 'busway.flow': string
}

/** What handlers of a flow's messages have. */
export interface FlowContext<T extends object = Record<string, unknown>> {
  /**
   * The children that have ended, in the order in which they were given; those that its handler added come last. Empty outside of a flow. Rejects with
   * `UNKNOWN_MESSAGE` if the flow is not there any more, and with `LEASE_LOST` if Redis has been rolled back to when one of them had not ended.
   */
  children(): Promise<FlowChild[]>
  /**
   * Adds children to the message that is handled. Return what it resolves with: the message is handled once more when they have ended. Rejects with
   * `INVALID_OPTIONS` where the message is of no flow.
   *
   * @example
   * bus.consume('reports.assembled', async (message, ctx) => {
   *   const parts = await ctx.children()
   *   if (parts.length === 0) return ctx.waitFor(airports.map((airport) => ({ topic: 'reports.parts', body: { airport } })))
   *   return parts.length
   * })
   */
  waitFor(children: readonly FlowNode<T>[], options?: { onChildFailure?: FailurePolicy }): Promise<FlowWait>
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    flow: { bus: { readonly flows: Flows<T> }; context: FlowContext<T> }
  }
}
