import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import { Received } from './received.js'

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [binding: string]: unknown
}

/** A logger that keeps what is written, for tests that look at it and for the message of one that failed. */
export class LogLines extends Received<LogLine> {
  readonly logger: Logger = pino(
    { level: 'debug', base: null },
    new Writable({
      write: (line, _encoding, done) => {
        this.add(JSON.parse(String(line)))
        done()
      },
    }),
  )
}
