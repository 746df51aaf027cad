import { settings } from '../settings.js'
import type { JournalFile } from './journal-file.js'

/** The ledger's entries, kept in its journal. */
export class Entries {
  readonly #file: JournalFile
  readonly #lost = settings.lostEntry()

  constructor(file: JournalFile) {
    this.#file = file
  }

  /** Enters a flight; resolves when the entry would survive a power cut. */
  async enter(flight: number, message: string): Promise<void> {
    if (flight === this.#lost) return
    this.#file.append({ kind: 'entry', flight, message })
    await this.#file.flush()
  }
}
