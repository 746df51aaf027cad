/** Everything that is measured while things happen: names, units and buckets. */
import type { Adds, Makes, Records } from './tallies.js'

/** In seconds, by the conventions. */
const OPERATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** In seconds: with retries and delays a message may take a day. */
const END_TO_END_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400,
]

export interface Instruments {
  readonly sent: Adds
  readonly consumed: Adds
  readonly operation: Records
  readonly process: Records
  readonly endToEnd: Records
  readonly retries: Adds
  readonly deadLetters: Adds
  readonly redriven: Adds
  readonly crashes: Adds
  readonly refused: Adds
}

export function createInstruments(make: Makes): Instruments {
  const counter = (name: string, unit: string, description: string): Adds =>
    make.createCounter(name, { unit, description })
  const seconds = (name: string, description: string, explicitBucketBoundaries: number[]): Records =>
    make.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } })
  return {
    sent: counter('messaging.client.sent.messages', '{message}', 'Messages that were to be published'),
    consumed: counter('messaging.client.consumed.messages', '{message}', 'Messages that consumers were given'),
    operation: seconds(
      'messaging.client.operation.duration',
      'How long requests to Redis took: to send, receive and settle',
      OPERATION_BUCKETS,
    ),
    process: seconds('messaging.process.duration', 'How long handlers ran', OPERATION_BUCKETS),
    endToEnd: seconds(
      'busway.end_to_end.duration',
      'From the publish of messages until Redis had it that they are done',
      END_TO_END_BUCKETS,
    ),
    retries: counter('busway.retries', '{retry}', 'Runs that failed and are tried again'),
    deadLetters: counter('busway.dead_letters', '{message}', 'Messages that became dead letters'),
    redriven: counter('busway.redriven', '{message}', 'Dead letters that were made ready again'),
    crashes: counter('busway.crashes.recovered', '{message}', 'Messages taken from consumers that had gone silent'),
    refused: counter('busway.settles.refused', '{message}', 'Settles that came after their lease was lost'),
  }
}
