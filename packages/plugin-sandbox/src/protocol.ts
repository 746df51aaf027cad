/** What a run's two sides say to each other: structured clones, over a port of a thread or the channel of a process. */
import type { WrittenError } from './errors.js'

/** What the guest is given to run. */
export interface Task {
  /** Of the module. */
  readonly url: string
  readonly message: Readonly<Record<string, unknown>>
  readonly group: string
  /** Plain values that plugins have put on the context. */
  readonly values: Readonly<Record<string, unknown>>
  /** Names of functions that they have. */
  readonly functions: readonly string[]
  /** The trace context of the run, as OpenTelemetry's propagator writes it. */
  readonly carrier: Readonly<Record<string, string>>
  readonly isAborted: boolean
}

/** From the guest, which runs the handler. */
export type FromGuest =
  | { readonly started: true }
  | { readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly log: string; readonly bindings: Record<string, unknown>; readonly args: readonly unknown[] }
  | { readonly progress: unknown }

/** From the host, which has the bus. */
export type FromHost =
  | { readonly abort: WrittenError }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly error: WrittenError }

/** How the guest ended. */
export type Ending = { readonly result: unknown } | { readonly error: WrittenError }

/** One side of the connection of a run. */
export interface Channel<Out, In> {
  send(message: Out): void
  listen(listener: (message: In) => void): void
  close(): void
}
