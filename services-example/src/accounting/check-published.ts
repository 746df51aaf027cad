import type { Published } from '../records/journal-line.js'
import type { Expected } from './evidence.js'
import { type Fault, faultAbout } from './fault.js'
import { repeatedIn } from './repeated.js'

/** Each flight was published once, under an id of its own. */
export function checkPublished({ flights }: Expected, published: readonly Published[]): Fault[] {
  const seen = new Set(published.map(({ flight }) => flight))
  const ids = repeatedIn(published.map(({ message }) => message))
  return [
    ...faultAbout(
      Array.from({ length: flights }, (_, flight) => flight).filter((flight) => !seen.has(flight)),
      'lost',
      undefined,
      'never published',
    ),
    ...faultAbout(repeatedIn(published.map(({ flight }) => flight)), 'duplicated', undefined, 'published twice'),
    ...faultAbout(
      published.filter(({ message }) => ids.includes(message)).map(({ flight }) => flight),
      'duplicated',
      undefined,
      'share a message id',
    ),
  ]
}
