import { join } from 'node:path'

export const EXTENSION = '.jsonl'

/** Where a process of a run keeps its journal. */
export const journalPath = (folder: string, process: string): string => join(folder, process + EXTENSION)
