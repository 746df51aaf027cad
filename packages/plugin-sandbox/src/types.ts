/** What users say and write. Nothing here runs. */
import type { ConsumeContext, Duration, Message } from '@busway/bus'

/** Where and within which bounds a sandboxed handler runs. */
export interface SandboxOptions {
  /** `thread`: a worker thread. `process`: a process of its own, which nothing that the handler does can harm the service from. Default: `thread`. */
  isolate?: 'thread' | 'process'
  /** At most so many threads or processes; a message that finds none free waits for one. Default: the machine's cores less one, at least 1. */
  threads?: number
  /** JavaScript heap of each, in MiB. A run that needs more ends as a failed attempt. Default: Node's own. */
  memoryLimit?: number
  /** How long one run may take: then its thread or process is ended, whatever it does. It is a failed attempt. Default: no limit. */
  timeout?: Duration
  /** How long a handler whose `ctx.signal` was aborted may go on before its thread or process is ended. Default: `1s`. */
  grace?: Duration
}

/** What the module's default export is: the handler, or an object with it. */
export type SandboxModule<Body = unknown, Result = unknown> =
  | SandboxHandler<Body, Result>
  | {
      /** The handler. */
      run: SandboxHandler<Body, Result>
      /** Called once in each thread or process, before its first message. What it throws fails that message. */
      open?: () => unknown
      /** Called once in each when the sandbox is closed; not in one that had to be ended. */
      close?: () => unknown
    }

/** A handler, run where its module was loaded. Its message and its context are copies. */
export type SandboxHandler<Body = unknown, Result = unknown> = (
  message: SandboxMessage<Body>,
  context: SandboxContext,
) => Result | Promise<Result>

export type SandboxMessage<Body = unknown> = Omit<Message, 'body'> & { readonly body: Body }

/**
 * A handler's context. What plugins have added is there too: plain values as they are when the run begins, functions as async ones.
 * `log` has pino's levels and `child`.
 */
export type SandboxContext = Pick<ConsumeContext, 'group' | 'signal' | 'log' | 'publish' | 'progress'> &
  Readonly<Record<string, unknown>>
