/**
 * A handler that runs its module's handler elsewhere:
 *
 * 1. a delivery becomes a task, and goes to a thread or process that is free
 * 2. what the handler does with its context is done here (host.ts)
 * 3. it ends by itself; or its signal is aborted, and `grace` later, or at its `timeout`, its thread or process is ended
 */
import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { BuswayError, type ConsumeContext, durationMs, type Message } from '@busway/bus'
import { readError, writeError } from './errors.js'
import { serve, taskOf } from './host.js'
import type { Pool } from './pool.js'
import { ProcessPool } from './process-pool.js'
import type { Ending } from './protocol.js'
import { ThreadPool } from './thread-pool.js'
import type { SandboxOptions } from './types.js'

/** A handler for `bus.consume`. `close` ends its threads or processes; the next message starts others. */
export interface SandboxedHandler extends AsyncDisposable {
  (message: Message, context: ConsumeContext): Promise<never>
  close(): Promise<void>
}

interface Settings {
  readonly isolate: 'thread' | 'process'
  readonly threads: number
  readonly memoryLimitMiB: number | undefined
  readonly timeoutMs: number | undefined
  readonly graceMs: number
}

/** All that have a pool, for the plugin to close. */
const open = new Set<SandboxedHandler>()

export async function closeSandboxes(): Promise<void> {
  await Promise.all([...open].map((handler) => handler.close()))
}

/**
 * A handler that runs in a worker thread, or in a process: the default export of the module at `url` (a `URL`, or an absolute path).
 * Throws INVALID_OPTIONS. Runs fail with `HANDLER_TIMEOUT` or `SANDBOX_FAILED`, and with what the handler threw.
 *
 * @example
 * bus.consume('films.uploaded', sandbox(new URL('./render.js', import.meta.url), { threads: 2, memoryLimit: 512, timeout: '1m' }))
 */
export function sandbox(url: URL | string, options: SandboxOptions = {}): SandboxedHandler {
  const settings = checkOptions(options)
  const href = hrefOf(url)
  let pool: Pool | undefined
  const run = async (message: Message, context: ConsumeContext): Promise<never> => {
    pool ??= settings.isolate === 'thread' ? new ThreadPool(settings) : new ProcessPool(settings)
    open.add(handler)
    // What a handler returns is its topic's affair.
    return (await runOne(pool, href, message, context, settings)) as never
  }
  const close = async (): Promise<void> => {
    open.delete(handler)
    const closing = pool
    pool = undefined
    await closing?.close()
  }
  const handler: SandboxedHandler = Object.assign(run, { close, [Symbol.asyncDispose]: close })
  return handler
}

async function runOne(
  pool: Pool,
  url: string,
  message: Message,
  context: ConsumeContext,
  { timeoutMs, graceMs }: Settings,
): Promise<unknown> {
  const end = new AbortController()
  const timers: NodeJS.Timeout[] = []
  const later = (ms: number, reason: () => Error): void => {
    timers.push(setTimeout(() => end.abort(reason()), ms))
  }
  const task = await taskOf(url, message, context)
  let tell: (() => void) | undefined
  const aborted = (): void => {
    tell?.()
    later(graceMs, () => (context.signal.reason instanceof Error ? context.signal.reason : new Error('aborted')))
  }
  context.signal.addEventListener('abort', aborted, { once: true })
  if (context.signal.aborted) aborted()
  let ending: Ending
  try {
    ending = await pool.run(
      task,
      (channel) => {
        tell = () => channel.send({ abort: writeError(context.signal.reason) })
        serve(context, channel, () => {
          // It counts from when the handler has a thread, not from when it waits for one.
          if (timeoutMs !== undefined) later(timeoutMs, () => timedOut(timeoutMs))
        })
        if (context.signal.aborted) tell()
      },
      end.signal,
    )
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : failed(error)
  } finally {
    context.signal.removeEventListener('abort', aborted)
    for (const timer of timers) clearTimeout(timer)
  }
  if ('error' in ending) throw readError(ending.error)
  return ending.result
}

const timedOut = (timeoutMs: number): BuswayError =>
  new BuswayError(
    'HANDLER_TIMEOUT',
    `The sandboxed handler ran longer than ${timeoutMs} ms and was ended. Raise the sandbox's timeout, or let it do less at a time.`,
  )

const failed = (cause: unknown): BuswayError =>
  new BuswayError(
    'SANDBOX_FAILED',
    `The sandbox ended before its handler had: ${cause instanceof Error ? cause.message : String(cause)}. Raise memoryLimit if it ran out of memory; otherwise see the cause.`,
    { cause },
  )

function checkOptions(options: SandboxOptions): Settings {
  const known = ['isolate', 'threads', 'memoryLimit', 'timeout', 'grace']
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw invalid(unknown, `there is no such option. It takes ${known.join(', ')}`)
  const { isolate = 'thread', threads = Math.max(1, availableParallelism() - 1), memoryLimit, timeout, grace } = options
  if (isolate !== 'thread' && isolate !== 'process') throw invalid('isolate', "it should be 'thread' or 'process'")
  if (!Number.isInteger(threads) || threads < 1 || threads > 1_000)
    throw invalid('threads', 'it should be a whole number from 1 to 1,000')
  if (memoryLimit !== undefined && !(Number.isFinite(memoryLimit) && memoryLimit >= 8))
    throw invalid('memoryLimit', 'it should be a number of MiB, at least 8')
  return {
    isolate,
    threads,
    memoryLimitMiB: memoryLimit,
    timeoutMs: timeout === undefined ? undefined : durationMs('timeout', timeout, 1),
    graceMs: grace === undefined ? 1_000 : durationMs('grace', grace),
  }
}

function hrefOf(url: URL | string): string {
  if (url instanceof URL) return url.href
  if (typeof url !== 'string' || url === '')
    throw invalid('url', "it should be new URL('./handler.js', import.meta.url)")
  return url.includes('://') ? url : pathToFileURL(url).href
}

const invalid = (option: string, what: string): BuswayError =>
  new BuswayError('INVALID_OPTIONS', `sandbox: ${option}: ${what}.`, { details: { option } })
