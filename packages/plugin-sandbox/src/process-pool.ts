/** Processes, one task at a time in each. One that ends, however, is replaced when the next task needs it. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Pool, PoolOptions } from './pool.js'
import type { Channel, Ending, FromGuest, FromHost, Task } from './protocol.js'

/** What a process is sent: a task, what belongs to the one that runs, or that it is to close. */
export type ToProcess = { readonly task: Task } | { readonly toGuest: FromHost } | { readonly close: true }
export type FromProcess = { readonly ended: Ending } | { readonly toHost: FromGuest }

const CLOSE_MS = 5_000

interface Waiting {
  readonly take: (child: ChildProcess) => void
}

export class ProcessPool implements Pool {
  readonly #options: PoolOptions
  readonly #all = new Set<ChildProcess>()
  readonly #free: ChildProcess[] = []
  readonly #waiting: Waiting[] = []

  constructor(options: PoolOptions) {
    this.#options = options
  }

  async run(task: Task, opened: (channel: Channel<FromHost, FromGuest>) => void, signal: AbortSignal): Promise<Ending> {
    const child = await this.#take(signal)
    try {
      return await runIn(child, task, opened, signal)
    } finally {
      this.#release(child)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((child) => ended(child)))
  }

  #take(signal: AbortSignal): Promise<ChildProcess> {
    const free = this.#free.pop()
    if (free !== undefined) return Promise.resolve(free)
    if (this.#all.size < this.#options.threads) return Promise.resolve(this.#start())
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        take: (child) => {
          signal.removeEventListener('abort', aborted)
          resolve(child)
        },
      }
      const aborted = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', aborted, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #release(child: ChildProcess): void {
    if (!isAlive(child)) {
      this.#all.delete(child)
      if (this.#waiting.length > 0) this.#waiting.shift()?.take(this.#start())
      return
    }
    const next = this.#waiting.shift()
    if (next !== undefined) next.take(child)
    else {
      hold(child, false)
      this.#free.push(child)
    }
  }

  #start(): ChildProcess {
    const { memoryLimitMiB } = this.#options
    const limit = memoryLimitMiB === undefined ? [] : [`--max-old-space-size=${memoryLimitMiB}`]
    const child = fork(fileURLToPath(new URL('./process-entry.js', import.meta.url)), [], {
      execArgv: [...process.execArgv, ...limit],
      serialization: 'advanced',
    })
    this.#all.add(child)
    child.once('exit', () => {
      this.#all.delete(child)
      const at = this.#free.indexOf(child)
      if (at >= 0) this.#free.splice(at, 1)
    })
    // Told by its exit.
    child.on('error', () => undefined)
    hold(child, false)
    return child
  }
}

function runIn(
  child: ChildProcess,
  task: Task,
  opened: (channel: Channel<FromHost, FromGuest>) => void,
  signal: AbortSignal,
): Promise<Ending> {
  hold(child, true)
  const send = (message: ToProcess): void => {
    if (child.connected) child.send(message, () => undefined)
  }
  let heard: (message: FromGuest) => void = () => undefined
  opened({
    send: (toGuest) => send({ toGuest }),
    listen: (listener) => {
      heard = listener
    },
    close: () => undefined,
  })
  return new Promise((resolve, reject) => {
    const kill = (): void => void child.kill('SIGKILL')
    const left = (): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      signal.removeEventListener('abort', kill)
    }
    const onMessage = (message: FromProcess): void => {
      if ('toHost' in message) {
        heard(message.toHost)
        return
      }
      left()
      resolve(message.ended)
    }
    const onExit = (code: number | null, killed: NodeJS.Signals | null): void => {
      left()
      reject(
        signal.aborted
          ? signal.reason
          : new Error(`its process ended ${code === null ? `by ${killed}` : `with code ${code}`}`),
      )
    }
    child.on('message', onMessage as (message: unknown) => void)
    child.on('exit', onExit)
    if (!isAlive(child)) onExit(child.exitCode, child.signalCode)
    else if (signal.aborted) kill()
    else signal.addEventListener('abort', kill, { once: true })
    send({ task })
  })
}

const isAlive = (child: ChildProcess): boolean =>
  child.connected && child.exitCode === null && child.signalCode === null

/** Whether it keeps this program running. */
function hold(child: ChildProcess, on: boolean): void {
  if (on) child.ref()
  else child.unref()
  if (on) child.channel?.ref()
  else child.channel?.unref()
}

async function ended(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return
  hold(child, true)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.send({ close: true } satisfies ToProcess, () => undefined)
  const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
  await gone
  clearTimeout(timer)
}
