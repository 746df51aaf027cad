/** What all listings have in common: the options of a page, and how large one may get. */
import type { PageOptions } from '../api/index.js'
import { checkInteger, checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'

/** Of envelopes on one page, but for its first: so much is read and decoded at once. */
export const PAGE_BYTES = 4 * 1024 * 1024

export interface PageRequest {
  readonly limit: number
  readonly cursor?: string
}

/** Throws INVALID_OPTIONS. What is in the cursor is checked by who gave it. */
export function checkPage(where: string, options: PageOptions | undefined, more: readonly string[] = []): PageRequest {
  checkOptionsObject(where, options)
  checkNames(where, options ?? {}, ['limit', 'cursor', ...more])
  const { limit = 100, cursor } = options ?? {}
  checkInteger('limit', limit, 1, 1_000)
  if (cursor === undefined) return { limit }
  if (typeof cursor !== 'string') throw invalidOption('cursor', cursor, 'the cursor of a page')
  return { limit, cursor }
}
