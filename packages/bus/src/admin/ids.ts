/** From ids of messages to those of the batches of one in which dead letters are stored, see docs/wire-format.md. */

const address = /^[A-Za-z0-9_-]{8}(?:~[0-9a-z]+)?-o?\d+-\d+\.\d+$/

/** A publisher may have given an id that looks like an address, so such a one stands for both. */
export function batchIds(ids: readonly string[]): string[] {
  const batches: string[] = []
  for (const id of ids) {
    if (address.test(id)) batches.push(id)
    batches.push(`=${id}`)
  }
  return batches
}
