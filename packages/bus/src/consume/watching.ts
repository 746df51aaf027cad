/** Whether somebody watches the topic, as far as one subscription knows, and what is told to whoever does beside what settles say. */
import { type ProgressRequest, progress } from '@busway/lua'
import type { ScriptRunner } from '../seams.js'

export class Watching {
  /** Results are worth sending, progress is worth telling. */
  isOn = false
  readonly #runner: Pick<ScriptRunner, 'run'>
  readonly #topic: string
  /** When it was heard that somebody began to. */
  #beganMs = Number.NEGATIVE_INFINITY

  constructor(runner: Pick<ScriptRunner, 'run'>, topic: string) {
    this.#runner = runner
    this.#topic = topic
  }

  /** Redis said so, in answer to what was sent then, by the monotonic clock. Answers may be older than the news on the other connection. */
  answered(isWatched: boolean, sentMs: number): void {
    if (isWatched || sentMs > this.#beganMs) this.isOn = isWatched
  }

  /** Heard on the channel that wakes. */
  began(): void {
    this.isOn = true
    this.#beganMs = performance.now()
  }

  /** Goes before everything that is sent later. What gets lost is lost: the next says more. */
  async tell(request: ProgressRequest): Promise<void> {
    const sentMs = performance.now()
    try {
      const { watched } = await this.#runner.run(progress, this.#topic, request)
      this.answered(watched, sentMs)
    } catch {
      // Whatever hinders it hinders the settles too, and they say so.
    }
  }
}
