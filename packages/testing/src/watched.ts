/** The program's side of the watcher: one for a process, started with its first server. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { WatchMessage, WatchRequest } from './watch-protocol.js'

type Answer = Extract<WatchMessage, { answer: number }>
type Body<R> = R extends { request: number } ? Omit<R, 'request'> : never

const WATCHER = fileURLToPath(new URL('./watcher.js', import.meta.url))
const pending = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
const onEnd = new Map<number, (how: string) => void>()
let watcher: ChildProcess | undefined
let lastNumber = 0
let holds = 0

/** A server process under the watcher. */
export interface WatchedProcess {
  pid: number
  /** Resolves when the process has ended, with how it did: 'by SIGKILL', 'with code 1'. */
  ended: Promise<string>
}

/** Makes a temporary folder that goes when this process does. */
export async function makeWatchedFolder(): Promise<string> {
  const { folder } = await ask({ do: 'make-folder' })
  return folder as string
}

/** Removes such a folder now. */
export async function removeWatchedFolder(folder: string): Promise<void> {
  await ask({ do: 'remove-folder', folder })
}

/** Starts a process that ends when this one does. `atEnd` is a command that the watcher then runs first. */
export async function startWatched(
  folder: string,
  command: string,
  args: string[],
  atEnd?: string[],
): Promise<WatchedProcess> {
  const server = ++lastNumber
  const ended = new Promise<string>((resolve) => onEnd.set(server, resolve))
  const { pid } = await ask({ do: 'start', server, folder, command, args, ...(atEnd && { atEnd }) })
  return { pid: pid as number, ended }
}

/**
 * Keeps this process alive until the promise is settled. Nothing else of the watcher does: a program that forgets to stop
 * its server ends all the same, and the server with it.
 */
export async function holding<T>(promise: Promise<T>): Promise<T> {
  const channel = watcher?.channel
  if (holds++ === 0) channel?.ref()
  try {
    return await promise
  } finally {
    if (--holds === 0) channel?.unref()
  }
}

function ask(body: Body<WatchRequest>): Promise<Answer> {
  watcher ??= startWatcher()
  const request = ++lastNumber
  const answer = new Promise<Answer>((resolve, reject) => pending.set(request, { resolve, reject }))
  watcher.send({ ...body, request })
  return holding(answer)
}

function startWatcher(): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env
  // Detached, so that no signal to the terminal's or the runner's process group ends it before its work is done.
  const child = fork(WATCHER, { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [], env })
  child.unref()
  child.on('message', (message: WatchMessage) => {
    if ('ended' in message) {
      onEnd.get(message.ended)?.(message.how)
      onEnd.delete(message.ended)
      return
    }
    const waiting = pending.get(message.answer)
    pending.delete(message.answer)
    if (message.failed) waiting?.reject(new Error(message.failed))
    else waiting?.resolve(message)
  })
  child.on('exit', () => {
    watcher = undefined
    for (const { reject } of pending.values()) reject(new Error('the watcher of the Redis servers was killed'))
    pending.clear()
  })
  return child
}
