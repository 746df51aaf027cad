/** What the processes write down while they work. At the end the books are balanced from these lines alone. */
export type JournalLine = Published | Run | Settled | Entry | Report

/** A publish was confirmed. */
export interface Published {
  kind: 'published'
  topic: string
  message: string
  flight: number
}

/** A handler began. Written before its first effect, so even a process that dies in it leaves a trace. */
export interface Run {
  kind: 'run'
  group: string
  message: string
  flight: number
  attempt: number
  redelivered: boolean
  /** Milliseconds since the epoch. */
  at: number
  /** From the message's time to this run. */
  waitedMs: number
}

/** The bus confirmed what became of a run, or refused it since the lease was lost. */
export interface Settled {
  kind: 'settled'
  group: string
  message: string
  outcome: 'done' | 'retry' | 'dead'
  /** Its result was refused: another consumer has the message now. */
  refused?: true
  /** The name of the error that failed it. */
  error?: string
  at: number
}

/** The ledger's own effect: a flight in its books, on disk. */
export interface Entry {
  kind: 'entry'
  message: string
  flight: number
}

/** A report was assembled, of so many airports and flights. */
export interface Report {
  kind: 'report'
  report: string
  airports: number
  flights: number
}
