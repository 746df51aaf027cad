import type { BusOptions } from '@busway/bus'

/** What a process of a chaos run is told when it is started, and later over IPC. */
export interface ProcessSetup {
  readonly role: 'producer' | 'consumer'
  readonly process: string
  /** Through the process' own proxy. */
  readonly redis: NonNullable<BusOptions['redis']>
  /** Publishes are confirmed when a replica has them. */
  readonly isDurable: boolean
  /** A server itself, to ask for its time. */
  readonly clock: string
  readonly namespace: string
  readonly history: string
  readonly seed: number
}

/** `close`: end what is under way, and go. */
export type ProcessCommand = 'close' | 'slow' | 'quick'
export type ProcessReport = 'ready' | 'closed' | { readonly failed: string }
