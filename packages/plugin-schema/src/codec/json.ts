/** What JSON cannot carry: replies travel as JSON. */
import { type Node, nameOf, reachable } from '../schema/node.js'

/** The types in a schema whose values JSON would make others of, as errors call them. */
export const lostInJson = (node: Node): string[] => [...new Set([...reachable(node)].filter(isLost).map(nameOf))]

function isLost(node: Node): boolean {
  const logical = 'logical' in node ? node.logical?.name : undefined
  return logical === 'timestamp-millis' || ((node.kind === 'bytes' || node.kind === 'fixed') && logical !== 'decimal')
}
