/** Worker threads, by piscina. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Pool, PoolOptions } from './pool.js'
import type { Channel, Ending, FromGuest, FromHost, Task } from './protocol.js'

/** What a thread is given: a task with its port, or that it is to close. */
export type ThreadTask = { readonly task: Task; readonly port: MessagePort } | { readonly close: true }

export class ThreadPool implements Pool {
  readonly #piscina: Piscina

  constructor({ threads, memoryLimitMiB }: PoolOptions) {
    this.#piscina = new Piscina({
      filename: new URL('./thread-entry.js', import.meta.url).href,
      minThreads: 0,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      ...(memoryLimitMiB === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryLimitMiB } }),
    })
    // A thread that ends fails its task, which says so.
    this.#piscina.on('error', () => undefined)
  }

  async run(task: Task, opened: (channel: Channel<FromHost, FromGuest>) => void, signal: AbortSignal): Promise<Ending> {
    const { port1, port2 } = new MessageChannel()
    const channel = channelOf<FromHost, FromGuest>(port1)
    let heard: (message: FromGuest) => void = () => undefined
    const listening = {
      ...channel,
      listen: (listener: (message: FromGuest) => void) => {
        heard = listener
        channel.listen(listener)
      },
    }
    try {
      opened(listening)
      return await this.#piscina.run({ task, port: port2 } satisfies ThreadTask, { transferList: [port2], signal })
    } finally {
      // The end comes by another port, and may overtake what the handler said last.
      for (let last = receiveMessageOnPort(port1); last !== undefined; last = receiveMessageOnPort(port1))
        heard(last.message)
      port1.close()
    }
  }

  async close(): Promise<void> {
    const { threads } = this.#piscina
    // One for each, at once: none takes two.
    await Promise.allSettled(threads.map(() => this.#piscina.run({ close: true } satisfies ThreadTask)))
    await this.#piscina.destroy()
  }
}

export function channelOf<Out, In>(port: MessagePort): Channel<Out, In> {
  return {
    send: (message) => port.postMessage(message),
    listen: (listener) => {
      port.on('message', listener)
    },
    close: () => port.close(),
  }
}
