/** From ids of messages to those of the batches of one in which dead letters are stored, see docs/wire-format.md. */

const address = /^([A-Za-z0-9_-]{8}(?:~[0-9a-z]+)?-o?\d+-\d+)\.(\d+)$/

/** A publisher may have given an id that looks like an address, so such a one stands for both; and the first message of a batch may be all of it. */
export function batchIds(ids: readonly string[]): string[] {
  const batches: string[] = []
  for (const id of ids) {
    const [, batch, index] = address.exec(id) ?? []
    if (batch !== undefined) batches.push(id)
    if (batch !== undefined && index === '0') batches.push(batch)
    batches.push(`=${id}`)
  }
  return batches
}
