/** The runner of one partition, for parts that know the topic by its name: what they call on the topic is called on the partition. */
import type { Script } from '@busway/lua'
import type { GuardArgs } from '../api/index.js'
import type { TopicRunner } from '../redis/bus-runner.js'
import type { RedisArg } from '../redis/link.js'

export class PartitionRunner implements TopicRunner {
  readonly #runner: TopicRunner
  readonly #partition: string

  /** `runner`: of the server that has the partition. */
  constructor(runner: TopicRunner, partition: string) {
    this.#runner = runner
    this.#partition = partition
  }

  run<Request, Reply>(script: Script<Request, Reply>, _topic: string, request: Request): Promise<Reply> {
    return this.#runner.run(script, this.#partition, request)
  }

  runRepeatable<Request, Reply>(
    script: Script<Request, Reply>,
    _topic: string,
    request: Request,
    timeoutMs?: number,
  ): Promise<Reply> {
    return this.#runner.runRepeatable(script, this.#partition, request, timeoutMs)
  }

  runPlugin(name: string, _topic: string, keys: readonly string[], args: GuardArgs): Promise<unknown> {
    return this.#runner.runPlugin(name, this.#partition, keys, args)
  }

  get address(): TopicRunner['address'] {
    return this.#runner.address
  }

  get isUp(): boolean {
    return this.#runner.isUp
  }

  get problem(): TopicRunner['problem'] {
    return this.#runner.problem
  }

  call(command: string, args: RedisArg[]): Promise<unknown> {
    return this.#runner.call(command, args)
  }

  command(command: string, args: RedisArg[], timeoutMs?: number): Promise<unknown> {
    return this.#runner.command(command, args, timeoutMs)
  }

  usable(signal?: AbortSignal): Promise<void> {
    return this.#runner.usable(signal)
  }

  reload(): Promise<void> {
    return this.#runner.reload()
  }

  unavailable(): ReturnType<TopicRunner['unavailable']> {
    return this.#runner.unavailable()
  }

  pause(ms: number): Promise<void> {
    return this.#runner.pause(ms)
  }

  reconnect(error: Error): void {
    this.#runner.reconnect(error)
  }

  hold(): void {
    this.#runner.hold()
  }

  release(): void {
    this.#runner.release()
  }

  now(): number {
    return this.#runner.now()
  }

  learnTime(nowMs: number): void {
    this.#runner.learnTime(nowMs)
  }

  on(event: 'up' | 'down', listener: (error?: Error) => void): () => void {
    return this.#runner.on(event, listener)
  }
}
