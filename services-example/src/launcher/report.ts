import type { Books } from '../accounting/books.js'
import { tableOf } from './table.js'

/** The end of a run for people: the table, and whether the books balance. */
export function reportOf({ rows, faults }: Books, flights: number, stalled: string | undefined): string[] {
  const wrong = [stalled, ...faults.map(({ text }) => text)].filter((text) => text !== undefined)
  return [
    '',
    ...tableOf(rows),
    '',
    ...(wrong.length === 0
      ? [`The books balance: ${flights} flights, each accounted for once.`]
      : ['The books do not balance:', ...wrong.map((text) => `  ${text}`)]),
  ]
}
