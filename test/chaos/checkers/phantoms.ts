import { of } from '../history.js'
import type { Checker } from './checker.js'

/** P: nothing runs, and nothing is stored, that nobody published, or of which a publisher was told that nothing was written. */
export const phantoms: Checker = ({ history, seen }) => {
  const published = new Set([...of(history, 'publishing'), ...of(history, 'staged')].map(({ name }) => name))
  const schedules = of(history, 'scheduled').map(({ schedule }) => `${schedule}:`)
  const refused = new Map(
    of(history, 'published')
      .filter(({ outcome }) => outcome === 'failed' || outcome === 'duplicate')
      .map(({ name, outcome, code }) => [name, code ?? outcome]),
  )
  return [...seen].flatMap((name) => {
    if (refused.has(name)) return [`${name} exists, and its publisher was told ${refused.get(name)}`]
    if (published.has(name) || schedules.some((start) => name.startsWith(start))) return []
    return [`${name} exists, and nobody published it`]
  })
}
