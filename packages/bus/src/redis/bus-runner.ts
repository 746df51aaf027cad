/** What the bus sends over: one server (runner.ts), or the masters of a cluster (cluster-runner.ts). */
import type { ScriptRunner } from '../seams.js'
import type { RedisArg } from './link.js'
import type { Target } from './repeat.js'

/** To the server that has a topic, whichever that is at the time. Its calls stay in order as long as that is the same one. */
export interface TopicRunner extends ScriptRunner, Target {
  readonly problem: ScriptRunner['problem']
  usable(signal?: AbortSignal): Promise<void>
  reload(): Promise<void>
  /** One try of a plain command, on the link of the calls before it. Rejects with a RedisFailure. */
  call(command: string, args: RedisArg[]): Promise<unknown>
  /** A plain command that may run twice; where it goes is told by its first argument, a key. */
  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown>
  /** Ends the connection; the next one may reach another server. */
  reconnect(error: Error): void
  /** Keeps the program running until `release`: work waits for Redis. */
  hold(): void
  release(): void
}

export interface BusRunner extends TopicRunner {
  /** For calls that belong to one topic: what is up, down and wrong is that of its server. */
  of(topic: string): TopicRunner
  start(): void
  close(farewellMs: number): Promise<void>
}
