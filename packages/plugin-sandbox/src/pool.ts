/** Where tasks run. */
import type { Channel, Ending, FromGuest, FromHost, Task } from './protocol.js'

export interface PoolOptions {
  readonly threads: number
  readonly memoryLimitMiB: number | undefined
}

export interface Pool {
  /**
   * Runs a task where one is free, else when one becomes so. `opened` is given the host's end of its channel when it begins. Once `signal` is aborted, the
   * thread or process that runs it is ended. Rejects, with what is known of why, if it ended before the task had.
   */
  run(task: Task, opened: (channel: Channel<FromHost, FromGuest>) => void, signal: AbortSignal): Promise<Ending>
  /** Closes the modules and ends all. */
  close(): Promise<void>
}
