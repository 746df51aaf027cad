/** A process of the benchmark that answers questions, and the end that asks: one question at a time. */
import { type ChildProcess, fork } from 'node:child_process'

type Answer<T> = { answer: T } | { error: string }

export interface Child<Question, Result> {
  /** Rejects with the child's error, or when it ends without an answer. */
  ask(question: Question): Promise<Result>
  /** Lets the child end by itself. */
  stop(): Promise<void>
  /** Ends it now; an open question is rejected. */
  kill(): void
}

/** Starts the program at `url`, which calls `answer`. It ends with this process. */
export function forkChild<Question extends object, Result>(
  url: URL,
  options: { args?: string[]; execArgv?: string[] } = {},
): Child<Question, Result> {
  // As services run: some libraries check more where it is not said.
  const env = { ...process.env, NODE_ENV: 'production' }
  const child = fork(url, options.args ?? [], { execArgv: options.execArgv ?? [], env, serialization: 'advanced' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    ask: (question) => ask<Question, Result>(child, question),
    async stop() {
      if (child.connected) child.disconnect()
      await ended
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** In the child: answers every question until the asking end goes away. */
export function answer<Question, Result>(reply: (question: Question) => Promise<Result>): void {
  process.on('message', async (question: Question) => {
    let message: Answer<Result>
    try {
      message = { answer: await reply(question) }
    } catch (error) {
      message = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    if (process.connected) process.send?.(message)
  })
  process.on('disconnect', () => process.exit())
}

function ask<Question extends object, Result>(child: ChildProcess, question: Question): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Answer<Result>) => {
      child.off('exit', onExit)
      if ('error' in message) reject(new Error(message.error))
      else resolve(message.answer)
    }
    const onExit = (code: number | null, signal: string | null) => {
      child.off('message', onMessage)
      reject(new Error(`The process ended without an answer (${signal ?? `exit code ${code}`}).`))
    }
    child.once('message', onMessage as (message: unknown) => void)
    child.once('exit', onExit)
    if (child.connected) child.send(question)
    else onExit(child.exitCode, child.signalCode)
  })
}
