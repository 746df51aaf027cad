/** Marks, as docs/data-model.md describes them: what of a range that waits in a list is still a message there. */
import type { Range } from './snapshot.js'

export interface Mark {
  /** It goes on at this place as a batch of one. */
  readonly isHere: boolean
  /** Places of this name before that are nothing any more; so many are left. */
  readonly before: number
  readonly left: number
}

export function parseMark(text: string): Mark {
  if (text === '=') return { isHere: true, before: 0, left: 0 }
  const match = /^x(\d+),([1-9]\d*)$/.exec(text)
  if (!match) throw new Error(`not a mark: ${text}`)
  return { isHere: false, before: Number(match[1]), left: Number(match[2]) }
}

/** One message of a range that waits in a list. */
export interface Waiting {
  readonly name: string
  readonly index: number
  /** `here`: as a batch of one of that name; `stale`: it is nothing any more. */
  readonly kind: 'plain' | 'here' | 'stale'
}

/** What a message that stands alone in its range is called. */
export const nameOf = ({ batch, total, from }: Pick<Range, 'batch' | 'total' | 'from'>): string =>
  total === 1 ? batch : `${batch}.${from}`

export function resolve(marks: ReadonlyMap<string, Mark>, range: Range): Waiting[] {
  return Array.from({ length: range.count }, (_, i): Waiting => {
    const index = range.from + i
    const name = nameOf({ ...range, from: index })
    const mark = marks.get(name)
    if (mark === undefined) return { name, index, kind: 'plain' }
    if (mark.isHere) return { name, index, kind: 'here' }
    return { name, index, kind: (range.place ?? 0) < mark.before ? 'stale' : 'plain' }
  })
}
