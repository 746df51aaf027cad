import { fdatasync, openSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import type { JournalLine } from './journal-line.js'
import { journalPath } from './journal-path.js'

const sync = promisify(fdatasync)

/**
 * A file of one process to which lines are appended. A line is with the operating system when `append` returns, so a
 * SIGKILL loses none; it is on disk once a `flush` that began later has ended.
 */
export class JournalFile {
  readonly #descriptor: number
  #current: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(folder: string, process: string) {
    this.#descriptor = openSync(journalPath(folder, process), 'a')
  }

  append(line: JournalLine): void {
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`)
  }

  /** All that was appended before is on disk. Calls that come while the disk is busy share one flush. */
  flush(): Promise<void> {
    this.#next ??= this.#current
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        this.#current = sync(this.#descriptor)
        return this.#current
      })
    return this.#next
  }
}
