/** All checkers, by the letters that docs/faults.md has for them. */
import type { Entry } from '../history.js'
import { Reading } from '../runs.js'
import type { Checker } from './checker.js'
import { counts } from './counts.js'
import { duplicates } from './duplicates.js'
import { fencing } from './fencing.js'
import { joins } from './joins.js'
import { left } from './left.js'
import { loss } from './loss.js'
import { order } from './order.js'
import { phantoms } from './phantoms.js'
import { transactions } from './transactions.js'

export const checkers: Readonly<Record<string, Checker>> = {
  L: loss,
  P: phantoms,
  D: duplicates,
  O: order,
  F: fencing,
  T: transactions,
  J: joins,
  C: counts,
  K: left,
}

/** What the history breaks, each with the letter of its checker. */
export function judge(history: readonly Entry[]): string[] {
  const reading = new Reading(history)
  return Object.entries(checkers).flatMap(([letter, check]) => check(reading).map((what) => `${letter}: ${what}`))
}
