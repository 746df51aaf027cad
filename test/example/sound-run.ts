import type { Evidence, Expected } from '../../services-example/src/accounting/evidence.js'
import type { Entry, JournalLine, Report, Run, Settled } from '../../services-example/src/records/journal-line.js'
import type { Noted } from '../../services-example/src/records/read-journals.js'

/** A small run that balances, to be spoiled by a test. Evidence is plain data here, and may be changed. */
export interface SoundRun {
  expected: Expected
  evidence: { -readonly [K in keyof Evidence]: Evidence[K] } & { lines: Noted[]; killed: Set<string> }
}

export const FLIGHTS = 6
export const REPORTS = 2
const AIRPORTS = 3
/** Accepted at once. */
export const LATE = 2
/** Refused until the gateway is repaired. */
export const BROKEN = 4

/** Six flights, two of them very late. One alert is accepted at once, the other dies after two refusals and is redriven; both notices are taken down. */
export function soundRun(): SoundRun {
  const lines: Noted[] = []
  const note = (process: string, line: JournalLine) => lines.push({ process, line })
  for (let flight = 0; flight < FLIGHTS; flight++) {
    note('feed-1', { kind: 'published', topic: 'flights.departed', message: messageOf(flight), flight })
    for (const group of ['ledger', 'delays']) {
      note(`${group}-1`, run(group, flight))
      if (group === 'ledger') note('ledger-1', entry(flight))
      note(`${group}-1`, settled(group, flight))
    }
  }
  note('alerts-1', run('alerts', LATE))
  note('alerts-1', settled('alerts', LATE))
  for (const outcome of ['retry', 'dead', 'done'] as const) {
    note('alerts-1', run('alerts', BROKEN))
    const error = outcome === 'done' ? {} : { error: 'GatewayRefused' }
    note('alerts-1', { ...settled('alerts', BROKEN), outcome, ...error })
  }
  for (const flight of [LATE, BROKEN]) {
    note('alerts-1', run('notices', flight))
    note('alerts-1', settled('notices', flight))
  }
  for (let n = 0; n < REPORTS; n++) note('reports-1', report(n))
  return {
    expected: {
      flights: FLIGHTS,
      alerts: new Set([LATE, BROKEN]),
      broken: new Set([BROKEN]),
      places: new Map([
        [LATE, 'Oslo, NO'],
        [BROKEN, 'Paris, FR'],
      ]),
      reports: REPORTS,
      airports: AIRPORTS,
    },
    evidence: {
      lines,
      killed: new Set(),
      gateway: {
        accepted: [LATE, BROKEN],
        repeated: [],
        refused: 2,
        places: [
          [LATE, 'Oslo, NO'],
          [BROKEN, 'Paris, FR'],
        ],
        withdrawn: [LATE, BROKEN],
        early: [],
      },
      left: {
        ledger: { unsettled: 0, dead: 0 },
        delays: { unsettled: 0, dead: 0 },
        alerts: { unsettled: 0, dead: 0 },
        notices: { unsettled: 0, dead: 0 },
      },
      deadLetters: [BROKEN],
      redriven: 1,
    },
  }
}

export const messageOf = (flight: number, topic = 'f') => `${topic}-${flight}`
const topics: Readonly<Record<string, string>> = { alerts: 'a', notices: 'n' }

export function run(group: string, flight: number, at = 1_000): Run {
  const message = messageOf(flight, topics[group])
  return { kind: 'run', group, message, flight, attempt: 1, redelivered: false, at, waitedMs: 5 }
}

export function settled(group: string, flight: number, at = 1_010): Settled {
  return {
    kind: 'settled',
    group,
    message: messageOf(flight, topics[group]),
    outcome: 'done',
    at,
  }
}

export const entry = (flight: number): Entry => ({ kind: 'entry', message: messageOf(flight), flight })

/** The run without the lines that the test picks. */
export function without({ expected, evidence }: SoundRun, picked: (line: JournalLine) => boolean): SoundRun {
  return { expected, evidence: { ...evidence, lines: evidence.lines.filter(({ line }) => !picked(line)) } }
}

export const report = (n: number): Report => ({
  kind: 'report',
  report: `reports:${n}`,
  airports: AIRPORTS,
  flights: FLIGHTS,
})
