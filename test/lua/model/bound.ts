/** Which units of a publish a topic with a bound of waiting messages lets in. */
import type { MessageNumber, Model } from './state.js'

export interface Entry {
  readonly message: MessageNumber
  /** Position of its batch in the request. */
  readonly batch: number
  readonly ownId: string | undefined
}

/** Messages of one batch that are accepted together. */
export interface Run {
  readonly batch: number
  readonly messages: MessageNumber[]
}

export interface Decision {
  readonly runs: readonly Run[]
  readonly duplicates: readonly { readonly position: number; readonly id: string }[]
  /** Positions of what there is no room for, now or ever. */
  readonly refused: readonly { readonly position: number; readonly forEver: boolean }[]
  /** Size of the first unit for which there may be room later. */
  readonly need: number | undefined
}

/** `keeps`: what is behind a refused unit is refused as well. */
export function decide(
  model: Model,
  entries: readonly Entry[],
  unitSizes: readonly number[],
  keeps: boolean,
): Decision {
  const seen = new Set(model.ownIds.keys())
  const isNew = ({ ownId }: Entry): boolean => {
    if (ownId === undefined) return true
    if (seen.has(ownId)) return false
    seen.add(ownId)
    return true
  }
  const fresh = entries.filter(isNew)
  let room = model.bound === undefined ? Number.POSITIVE_INFINITY : model.bound - model.messagesWaiting
  // All of it: in whole batches.
  const units = fresh.length <= room ? [entries.length] : unitSizes
  const decision = {
    runs: [] as Run[],
    duplicates: [] as never[],
    refused: [] as never[],
    need: undefined as number | undefined,
  }
  const known = new Set(model.ownIds.keys())
  let first = 0
  for (const size of units) {
    const unit = entries.slice(first, first + size)
    const own = new Set(known)
    const isDuplicate = unit.map(({ ownId }) => {
      if (ownId === undefined) return false
      if (own.has(ownId)) return true
      own.add(ownId)
      return false
    })
    const count = isDuplicate.filter((is) => !is).length
    const forEver = model.bound !== undefined && count > model.bound
    if (forEver || (keeps && decision.need !== undefined) || (count > 0 && count > room)) {
      if (!forEver) decision.need ??= count
      unit.forEach((_, i) => void decision.refused.push({ position: first + i, forEver } as never))
    } else {
      room -= count
      for (const [i, { message, batch, ownId }] of unit.entries()) {
        if (isDuplicate[i]) {
          decision.duplicates.push({ position: first + i, id: ownId } as never)
          continue
        }
        if (ownId !== undefined) known.add(ownId)
        const last = decision.runs.at(-1)
        if (i > 0 && last?.batch === batch) last.messages.push(message)
        else decision.runs.push({ batch, messages: [message] })
      }
    }
    first += size
  }
  return decision
}
