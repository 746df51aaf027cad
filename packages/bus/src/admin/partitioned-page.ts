/** Pages of a listing that goes through the partitions of a topic, one after the other. */
import type { Page, PageOptions } from '../api/index.js'
import { invalidOption } from '../validate/options.js'

/** Which partition, and the cursor of its own listing; none for its beginning. */
const CURSOR = /^(\d{1,4})\.(.*)$/s

/** Full, as long as there is enough: what one partition has not, the next may have. `pageOf` checks the options. */
export async function pageOver<Part, Item>(
  parts: readonly Part[],
  options: PageOptions | undefined,
  pageOf: (part: Part, options: PageOptions) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  let [index, cursor] = begin(parts.length, options?.cursor)
  const items: Item[] = []
  for (;;) {
    const limit = options?.limit === undefined ? 100 - items.length : options.limit - items.length
    const page = await pageOf(parts[index] as Part, { ...options, limit, cursor })
    items.push(...page.items)
    if (page.cursor !== undefined) return { items, cursor: `${index}.${page.cursor}` }
    index++
    cursor = undefined
    if (index === parts.length) return { items }
    if (items.length === (options?.limit ?? 100)) return { items, cursor: `${index}.` }
  }
}

function begin(count: number, cursor: unknown): [index: number, cursor: string | undefined] {
  if (cursor === undefined) return [0, undefined]
  const parts = typeof cursor === 'string' ? CURSOR.exec(cursor) : null
  const index = Number(parts?.[1])
  if (parts === null || index >= count)
    throw invalidOption('cursor', cursor, 'the cursor of a page of this listing, as it was given')
  return [index, parts[2] === '' ? undefined : parts[2]]
}
