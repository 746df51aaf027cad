/** Writing a plan to Redis, piece by piece, where nobody sees it until it is committed. */
import { randomUUID } from 'node:crypto'
import type { Scope } from '@busway/bus'
import type { Plan, PlannedNode } from './plan.js'
import type { Store } from './store.js'
import type { NodeOptions } from './types.js'

export const JSON_TYPE = 'application/json'

export interface StoredDefinition {
  readonly topic?: string
  readonly name?: string
  readonly contentType: string
  readonly options: NodeOptions
  readonly children: readonly number[]
}

/** A script call takes so much. */
const PIECE_FIELDS = 400
const PIECE_BYTES = 128 * 1024

/** Resolves with the draft's token. Rejects, as a publish does, for the first body that doesn't fit its topic; then nothing is written. */
export async function writeDraft(scope: Scope, store: Store, { nodes, leaves }: Plan): Promise<string> {
  const bodies = await Promise.all(nodes.map((node) => encoded(scope, node)))
  const token = randomUUID()
  let piece: string[] = []
  let bytes = 0
  let written = 0
  const put = async (field: string, value: string): Promise<void> => {
    piece.push(field, value)
    written++
    bytes += field.length + value.length
    if (piece.length >= PIECE_FIELDS || bytes >= PIECE_BYTES) await flush()
  }
  const flush = async (): Promise<void> => {
    const full = piece
    piece = []
    bytes = 0
    await store.draft(token, full)
  }
  for (const [i, { parents, group = '', topic, name, options, children }] of nodes.entries()) {
    const { text, contentType } = bodies[i] as Encoded
    const definition: StoredDefinition = {
      ...(topic === undefined ? {} : { topic }),
      ...(name === undefined ? {} : { name }),
      contentType,
      options,
      children,
    }
    await put(`d${i}`, JSON.stringify(definition))
    await put(`m${i}`, `${group}|${parents.map(({ node, policy }) => `${node}:${policy[0]}`).join(',')}`)
    if (topic !== undefined) await put(`b${i}`, text)
    if (children.length > 0) await put(`w${i}`, String(children.length))
  }
  await put('leaves', String(leaves))
  await put('root', String(nodes.length - 1))
  await put('at', String(Date.now()))
  await put('state', 'open')
  // A server that forgets a piece must not pass for one that has them all.
  await put('n', String(written + 1))
  await flush()
  return token
}

interface Encoded {
  readonly text: string
  readonly contentType: string
}

async function encoded(scope: Scope, { topic, body, options }: PlannedNode): Promise<Encoded> {
  if (topic === undefined) return { text: '', contentType: JSON_TYPE }
  const { bytes, contentType } = await scope.encode(topic, body, options)
  return { text: Buffer.from(bytes).toString(contentType === JSON_TYPE ? 'utf8' : 'base64'), contentType }
}
