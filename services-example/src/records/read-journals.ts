import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { JournalLine } from './journal-line.js'
import { EXTENSION, journalPath } from './journal-path.js'

/** A line with the process that wrote it. */
export interface Noted {
  process: string
  line: JournalLine
}

/** All lines of all processes, one file after the other; or of those whose names begin so. */
export async function* readJournals(folder: string, processes = ''): AsyncGenerator<Noted> {
  const isWanted = (name: string) => name.startsWith(processes) && name.endsWith(EXTENSION)
  for (const file of (await readdir(folder)).filter(isWanted).sort()) {
    const process = basename(file, EXTENSION)
    for await (const text of createInterface({ input: createReadStream(journalPath(folder, process)) })) {
      const line = parse(text)
      if (line) yield { process, line }
    }
  }
}

/** The last line of a killed process may be torn. What it says has then not happened. */
function parse(text: string): JournalLine | undefined {
  try {
    return JSON.parse(text) as JournalLine
  } catch {
    return undefined
  }
}
