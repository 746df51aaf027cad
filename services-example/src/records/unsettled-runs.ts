import { readFile } from 'node:fs/promises'
import { journalPath } from './journal-path.js'

/** How many runs in a process' journal have no settle yet. */
export async function unsettledRuns(folder: string, process: string): Promise<number> {
  const text = await readFile(journalPath(folder, process), 'utf8')
  return count(text, '{"kind":"run"') - count(text, '{"kind":"settled"')
}

const count = (text: string, part: string): number => text.split(part).length - 1
