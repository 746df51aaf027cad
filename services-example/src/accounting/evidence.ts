import type { GatewayReport } from '../gateway/desk.js'
import type { Noted } from '../records/read-journals.js'

/** The consumer groups of the example with the topics they consume. */
export const GROUPS = {
  ledger: 'flights.departed',
  delays: 'flights.departed',
  alerts: 'airports.delayed',
  notices: 'notices.ended',
} as const
export type Group = keyof typeof GROUPS
export const groups = Object.keys(GROUPS) as Group[]

/** What a run should have come to. Known before it starts, from the flights and the seed alone. */
export interface Expected {
  flights: number
  /** The flights that give cause for an alert. */
  alerts: ReadonlySet<number>
  /** Those of them that the gateway refuses until it is repaired. */
  broken: ReadonlySet<number>
  /** Flight -> the place that its notice names. */
  places: ReadonlyMap<number, string>
  /** How many reports are due, and of how many airports each is. */
  reports: number
  airports: number
}

/** What is left in a group at the end, as the bus says. */
export interface Left {
  /** Neither settled nor dead: scheduled, ready, in flight, retrying, held. */
  unsettled: number
  dead: number
}

/** All that is known when a run has ended. */
export interface Evidence {
  /** Every process' lines, each process' own in their order. */
  lines: AsyncIterable<Noted> | Iterable<Noted>
  /** The processes that were killed. Only they may leave runs without a settle. */
  killed: ReadonlySet<string>
  gateway: GatewayReport
  left: Readonly<Record<Group, Left>>
  /** The flights of the dead letters that were found before the gateway was repaired. */
  deadLetters: readonly number[]
  /** How many of them the bus says it redrove. */
  redriven: number
}
