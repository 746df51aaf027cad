/** What every process of a chaos run did, as records that checkers can judge: one JSON line each, in one file. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** `unknown`: it was sent, and nobody knows. A publish without an answer at all (its process died) is unknown too. */
export type PublishOutcome = 'ok' | 'duplicate' | 'failed' | 'unknown'

/** What one process did, without who and when. Messages are known by the names in their bodies, runs by names of their own. */
export type Deed =
  | {
      readonly e: 'publishing'
      readonly name: string
      readonly topic: string
      readonly key?: string
      readonly keySeq?: number
      /** Published with others of this name, all or none. */
      readonly batch?: string
    }
  /** A message of a flow is not to exist before those of these names have ended, and then exists as `policy` says. */
  | {
      readonly e: 'joins'
      readonly name: string
      readonly children: readonly string[]
      readonly policy: 'fail' | 'continue'
    }
  /** What `ctx.children` told a run. `by`: the run whose result it was given. */
  | {
      readonly e: 'joined'
      readonly run: string
      readonly children: readonly { readonly name: string; readonly outcome: 'done' | 'failed'; readonly by?: string }[]
    }
  | { readonly e: 'published'; readonly name: string; readonly outcome: PublishOutcome; readonly code?: string }
  | {
      readonly e: 'started'
      readonly run: string
      readonly name: string
      readonly topic: string
      readonly group: string
      readonly attempt: number
      readonly key?: string
      readonly keySeq?: number
    }
  /** A `ctx.publish` of a run; it is to exist exactly if the run's settle was accepted. */
  | { readonly e: 'staged'; readonly run: string; readonly name: string; readonly topic: string }
  | { readonly e: 'ended'; readonly run: string; readonly how: 'done' | 'retry' | 'dead' }
  | {
      readonly e: 'settled'
      readonly run: string
      readonly outcome: 'done' | 'retry' | 'dead' | 'released'
      readonly refused: boolean
    }
  | { readonly e: 'rollback'; readonly side: string }
  | { readonly e: 'scheduled'; readonly schedule: string; readonly topic: string }
  /** Of the run as a whole, by who made it. */
  | { readonly e: 'groups'; readonly topic: string; readonly groups: readonly string[] }
  /** `by`: the process that it hit; all of them without. `reruns`: messages may run again for it. `lostFromMs`: what was confirmed from then on, up to `lostToMs` or the end, may be gone, by the server's time; `keepsPublishes`: but no publish; `apart`: others kept what they knew of it. */
  | {
      readonly e: 'fault'
      readonly fault: string
      readonly phase: 'begin' | 'end'
      readonly number: number
      readonly reruns: boolean
      readonly by?: string
      readonly lostFromMs?: number
      readonly lostToMs?: number
      readonly keepsPublishes?: boolean
      readonly apart?: boolean
    }
  /** What was found in one place at the end; `count` is what `stats` says of it. */
  | {
      readonly e: 'stored'
      readonly topic: string
      readonly group?: string
      readonly place: string
      readonly count: number
      readonly names: readonly string[]
      /** Why they died, in the order of the names, for who reads the history. */
      readonly errors?: readonly string[]
    }
  /** A flow that is still open at the end. */
  /** `failures`: what the group that leads flows knows of messages that failed. */
  | { readonly e: 'open'; readonly flow: string; readonly failures: readonly string[] }
  /** Something wrong with what is kept in Redis; none if all is well. */
  | { readonly e: 'left'; readonly what: string }

/** `process`: who; `atMs`: by its own clock, which no fault moves; `serverMs`: the same moment by Redis' clock, as far as the process can tell. */
export type Entry = Deed & { readonly process: string; readonly atMs: number; readonly serverMs: number }
export type EntryOf<E extends Deed['e']> = Extract<Entry, { e: E }>

/** Not `Date.now`: one of the faults moves that. */
const clockMs = () => performance.timeOrigin + performance.now()

/** Appends to the history. Written when it returns: a process that is killed right after has still said it. */
export class Recorder {
  readonly #process: string
  readonly #file: number
  #offsetMs = 0

  constructor(path: string, process: string) {
    this.#process = process
    this.#file = openSync(path, 'a')
  }

  /** Measures how far Redis' clock is ahead of this process', by the quickest of several answers. */
  async measure(redis: Redis): Promise<void> {
    let bestMs = Number.POSITIVE_INFINITY
    for (let sample = 0; sample < 7; sample++) {
      const sentMs = clockMs()
      const [seconds, micros] = (await redis.time()) as unknown as [number, number]
      const tookMs = clockMs() - sentMs
      if (tookMs >= bestMs) continue
      bestMs = tookMs
      this.#offsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - (sentMs + tookMs / 2)
    }
  }

  get serverMs(): number {
    return clockMs() + this.#offsetMs
  }

  add(deed: Deed): void {
    const atMs = clockMs()
    const entry: Entry = { ...deed, process: this.#process, atMs, serverMs: atMs + this.#offsetMs }
    writeSync(this.#file, `${JSON.stringify(entry)}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** In the order of the server's time. Each entry is one write to a file opened for appending, so lines are whole. */
export function readHistory(path: string): Entry[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry)
    .sort((a, b) => a.serverMs - b.serverMs)
}

export function of<E extends Deed['e']>(history: readonly Entry[], event: E): EntryOf<E>[] {
  return history.filter((entry): entry is EntryOf<E> => entry.e === event)
}
