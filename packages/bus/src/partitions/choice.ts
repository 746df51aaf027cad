/**
 * What chooses the partition of a message: its ordering key, since order is what nothing else can give; without one its own id; without that what a plugin's guard remembers it by. So a message
 * that is published again, as it was, meets the first.
 */
import type { Outgoing } from '../api/index.js'
import { inexact } from './errors.js'

/** `undefined`: any will do. Throws CONFIG_INVALID where a guard would miss others that it should know of. */
export function chosenBy(topic: string, { options, partitionBy = [] }: Outgoing): string | undefined {
  const { key, id } = options as { key?: string; id?: string }
  const by = key ?? id ?? partitionBy[0]
  for (const other of partitionBy) {
    if (other === by) continue
    const chooser = key !== undefined ? 'its ordering key' : id !== undefined ? 'its own id' : 'another plugin'
    throw inexact(
      topic,
      `What a plugin remembers of a message by ${JSON.stringify(other)}`,
      `The partition is chosen by ${chooser}, ${JSON.stringify(by)}: leave that out, or give both the same text.`,
    )
  }
  return by
}
