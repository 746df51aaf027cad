import type { WriteStream } from 'node:tty'
import { groups } from '../accounting/evidence.js'
import type { Snapshot } from './watch.js'

const PLAIN_LINE_EVERY_MS = 1_000

/** Shows where a run is: one line that changes on a terminal, a line a second elsewhere. */
export class Display {
  readonly #out: WriteStream
  readonly #flights: number
  readonly #startedMs = performance.now()
  #nextMs = 0
  #line = ''

  constructor(out: WriteStream, flights: number) {
    this.#out = out
    this.#flights = flights
  }

  show(snapshot: Snapshot): void {
    const nowMs = performance.now()
    const line = `${((nowMs - this.#startedMs) / 1000).toFixed(1).padStart(5)} s  ${this.#describe(snapshot)}`
    if (this.#out.isTTY) this.#redraw(line)
    else if (nowMs >= this.#nextMs) {
      this.#out.write(`${line}\n`)
      this.#nextMs = nowMs + PLAIN_LINE_EVERY_MS
    }
  }

  /** A line that stays. */
  note(text: string): void {
    const line = this.#line
    this.end()
    this.#out.write(`${text}\n`)
    if (line) this.#redraw(line)
  }

  /** Takes the changing line away. */
  end(): void {
    if (this.#line) this.#redraw('')
  }

  #describe({ published, groups: left, gateway }: Snapshot): string {
    // Short enough for a terminal of 80 columns.
    const waiting = groups.map((group) => `${group} ${left[group].unsettled}`).join(' ')
    return `${published}/${this.#flights} flights · ${waiting} · sent ${gateway.accepted} dead ${left.alerts.dead}`
  }

  #redraw(line: string): void {
    this.#line = line
    this.#out.write(`\r\x1b[K${line.slice(0, (this.#out.columns || 80) - 1)}`)
  }
}
