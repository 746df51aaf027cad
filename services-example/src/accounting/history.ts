import type { Entry, Published, Report, Run, Settled } from '../records/journal-line.js'
import { type Evidence, type Group, groups } from './evidence.js'

/** One message in one group. */
export interface MessageHistory {
  flight: number
  runs: (Run & { process: string })[]
  settles: (Settled & { process: string })[]
}

/** The lines of all processes, put together by what they are about. */
export interface History {
  published: Published[]
  entries: Entry[]
  reports: Report[]
  /** By group, then by message. */
  groups: Record<Group, Map<string, MessageHistory>>
}

/** Sorts the lines. A settle of a message that nobody ran keeps the flight -1. */
export async function historyOf(lines: Evidence['lines']): Promise<History> {
  const history: History = {
    published: [],
    entries: [],
    reports: [],
    groups: { ledger: new Map(), delays: new Map(), alerts: new Map(), notices: new Map() },
  }
  const messageOf = (group: string, message: string): MessageHistory => {
    if (!groups.includes(group as Group)) throw new Error(`There is no group ${group} in this example.`)
    const messages = history.groups[group as Group]
    const known = messages.get(message) ?? { flight: -1, runs: [], settles: [] }
    messages.set(message, known)
    return known
  }

  for await (const { process, line } of lines) {
    switch (line.kind) {
      case 'published':
        history.published.push(line)
        break
      case 'entry':
        history.entries.push(line)
        break
      case 'report':
        history.reports.push(line)
        break
      case 'run': {
        const message = messageOf(line.group, line.message)
        message.flight = line.flight
        message.runs.push({ ...line, process })
        break
      }
      case 'settled':
        messageOf(line.group, line.message).settles.push({ ...line, process })
    }
  }
  return history
}
