/** A flow as it stands, read in bounded pieces and drawn. */
import type { StoredDefinition } from './draft.js'
import { additionOf, messageId } from './ids.js'
import type { Store } from './store.js'
import type { ChildResult, FlowInfo, FlowNodeInfo, NodeState } from './types.js'

const PIECE = 100
const STATES: Readonly<Record<string, NodeState>> = {
  r: 'published',
  w: 'waiting-again',
  d: 'done',
  f: 'failed',
  q: 'dead',
  x: 'skipped',
}

/** Of a node, all but its body. */
export interface NodeRecord {
  readonly node: number
  readonly definition: StoredDefinition
  readonly state: string
  readonly run: number
  readonly results: readonly ChildResult[]
  readonly error: { readonly name: string; readonly message: string } | undefined
}

export async function readNodes(store: Store, flow: string, nodes: readonly number[]): Promise<NodeRecord[]> {
  const records: NodeRecord[] = []
  for (let at = 0; at < nodes.length; at += PIECE) {
    const piece = nodes.slice(at, at + PIECE)
    const values = await store.read(
      flow,
      piece.flatMap((node) => [`d${node}`, `s${node}`, `q${node}`, `r${node}`, `e${node}`]),
    )
    for (const [i, node] of piece.entries()) {
      const [definition, state = '', run = '1', results = '', error] = values.slice(i * 5, i * 5 + 5)
      if (definition === undefined) continue
      records.push({
        node,
        definition: JSON.parse(definition),
        state,
        run: Number(run),
        results: results
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => resultOf(line.slice(line.indexOf('\t', line.indexOf('\t') + 1) + 1))),
        error: error === undefined ? undefined : JSON.parse(error),
      })
    }
  }
  return records
}

function resultOf(json: string): ChildResult {
  const { group, ...rest } = JSON.parse(json) as ChildResult
  return group === '' ? rest : { group: group as string, ...rest }
}

/** Why a node failed: by its own end, or by a child's. */
export const errorOf = ({ results, error }: NodeRecord): NodeRecord['error'] =>
  error ?? results.find(({ outcome }) => outcome !== 'done')?.error

export async function readFlow(store: Store, flow: string): Promise<FlowInfo | null> {
  const [state, root, at] = await store.read(flow, ['state', 'root', 'at'])
  if (state === undefined || root === undefined) return null
  const numbers = Array.from({ length: Number(root) + 1 }, (_, node) => node)
  const known = new Map<number, FlowNodeInfo>()
  for (const record of await readNodes(store, flow, numbers)) {
    const { node, definition, run } = record
    const children = definition.children.flatMap((child) => known.get(child) ?? [])
    for (let added = 1; added <= run; added++) {
      const more = record.state === 'w' || added < run ? await readFlow(store, additionOf(flow, node, added)) : null
      children.push(...(more?.root.children ?? []))
    }
    const error = record.state === 'f' || record.state === 'q' ? errorOf(record) : undefined
    known.set(node, {
      id: messageId(flow, node, run),
      topic: definition.topic ?? '',
      ...(definition.name === undefined ? {} : { name: definition.name }),
      state: stateOf(record.state, state),
      ...(error === undefined ? {} : { error }),
      children,
    })
  }
  const top = known.get(Number(root)) as FlowNodeInfo
  return {
    id: flow,
    state: state as FlowInfo['state'],
    startedAt: new Date(Number(at)),
    root: top,
    toString: () => draw(flow, state, top),
  }
}

const stateOf = (own: string, flow: string): NodeState =>
  STATES[own] ?? (flow === 'cancelled' ? 'cancelled' : flow === 'open' ? 'waiting' : 'skipped')

function draw(flow: string, state: string, root: FlowNodeInfo): string {
  const lines = [`flow ${flow}: ${state}`]
  const add = ({ topic, name, state: own, error, children }: FlowNodeInfo, indent: string): void => {
    const what = name === undefined ? topic : `${name} (${topic})`
    lines.push(`${indent}${what}: ${own}${error === undefined ? '' : `, ${error.name}: ${error.message}`}`)
    for (const child of children) add(child, `${indent}  `)
  }
  add(root, '  ')
  return lines.join('\n')
}
