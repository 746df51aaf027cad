import { type DeadLetterItem, deadLetters } from '@busway/lua'
import type { DeadLetter, DeadReason, Page, StoredError } from '../api/index.js'
import { decodeError } from '../consume/error-record.js'
import type { AdminDependencies, Pipeline } from '../seams.js'
import { invalidOption } from '../validate/options.js'
import { messageId } from '../wire/index.js'
import { contentsOf, sliceOf } from './contents.js'
import { PAGE_BYTES, type PageRequest } from './pages.js'

/** As the script gives them: when the page's last letter died. */
const CURSOR = /^\d{1,16}(?:\.\d{1,20})?$/

/** A page of a group's dead letters, from wherever the cursor says. */
export async function deadLettersPage(
  { runner, pipeline }: Pick<AdminDependencies, 'runner' | 'pipeline'>,
  topic: string,
  group: string,
  { limit, cursor }: PageRequest,
): Promise<Page<DeadLetter>> {
  if (cursor !== undefined && !CURSOR.test(cursor)) throw invalidOption('cursor', cursor, 'the cursor of a page')
  const request = { group, limit, bytes: PAGE_BYTES, ...(cursor === undefined ? {} : { cursor }) }
  const page = await runner.runRepeatable(deadLetters, topic, request)
  const { decode } = pipeline()
  const items = await Promise.all(page.items.map((item) => readDeadLetter(topic, item, decode)))
  return page.cursor === undefined ? { items } : { items, cursor: page.cursor }
}

async function readDeadLetter(topic: string, item: DeadLetterItem, decode: Pipeline['decode']): Promise<DeadLetter> {
  const id = messageId(item.batch, 0)
  return {
    state: 'dead',
    id,
    topic,
    ...(await contentsOf(topic, id, sliceOf(item.value, 1), 0, decode)),
    attempts: item.attempts,
    crashes: item.crashes,
    reason: item.reason as DeadReason,
    error: storedError(item.error),
    diedAt: new Date(item.diedAtMs),
  }
}

/** From its record. */
export function storedError(record: string): StoredError {
  const { name, message, stack } = decodeError(record)
  return { name, message, ...(stack === undefined ? {} : { stack }) }
}
