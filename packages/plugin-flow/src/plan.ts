/** From a tree to numbered nodes: those without children first, the root last. Pure. */
import { BuswayError } from '@busway/bus'
import type { FailurePolicy, FlowNode, NodeOptions } from './types.js'

/** A node with what it waits for and what waits for it, by number. */
export interface PlannedNode {
  /** Absent of the root of children that a handler added: nothing is published for it. */
  readonly topic?: string
  readonly body?: unknown
  readonly name?: string
  readonly group?: string
  readonly options: NodeOptions
  readonly children: readonly number[]
  readonly parents: readonly { readonly node: number; readonly policy: FailurePolicy }[]
}

export interface Plan {
  readonly nodes: readonly PlannedNode[]
  /** So many nodes, from the first, have no children. */
  readonly leaves: number
}

const MOST_NODES = 20_000
const DEEPEST = 1_000
const POLICIES: readonly unknown[] = ['fail', 'continue', 'wait']
const OPTION_NAMES = ['type', 'key', 'headers', 'priority', 'position', 'delay', 'expiresIn', 'keepResult'] as const
const SETTINGS = ['topic', 'body', 'name', 'children', 'onChildFailure', 'onFailure', 'group']

/** What is given in place of a root that is no message: the children that a handler adds. */
export interface Added {
  readonly children: readonly FlowNode[]
  readonly onChildFailure?: FailurePolicy | undefined
}

interface Draft {
  readonly given: Partial<FlowNode> & Added
  readonly where: string
  readonly children: Draft[]
  readonly parents: Set<Draft>
  number: number
}

/** Throws INVALID_OPTIONS. */
export function plan(root: FlowNode | Added): Plan {
  const all: Draft[] = []
  const named = new Map<string, Draft>()
  const references: { from: Draft; name: string; at: number }[] = []
  const read = (given: unknown, where: string, depth: number): Draft => {
    const isAdded = depth === 0 && !('topic' in ((given ?? {}) as object))
    checkNode(given, where, isAdded)
    if (depth > DEEPEST) throw invalid(where, `it is more than ${DEEPEST} levels deep`)
    const draft: Draft = { given: given as Draft['given'], where, children: [], parents: new Set(), number: -1 }
    all.push(draft)
    if (all.length > MOST_NODES) throw invalid(where, `a flow has ${MOST_NODES.toLocaleString('en')} messages at most`)
    const { name } = draft.given
    if (name !== undefined) {
      if (named.has(name)) throw invalid(where, `there are two nodes named ${JSON.stringify(name)}`)
      named.set(name, draft)
    }
    for (const [i, child] of (draft.given.children ?? []).entries()) {
      if (typeof child === 'string') references.push({ from: draft, name: child, at: i })
      else draft.children[i] = read(child, `${where}.children[${i}]`, depth + 1)
    }
    return draft
  }
  const top = read(root, 'flow', 0)
  for (const { from, name, at } of references) {
    const to = named.get(name)
    if (to === undefined) throw invalid(`${from.where}.children[${at}]`, `no node is named ${JSON.stringify(name)}`)
    from.children[at] = to
  }
  for (const draft of all) for (const child of draft.children) child.parents.add(draft)
  return numbered(top, all)
}

/** Children before their parents; throws where that can't be. */
function numbered(top: Draft, all: readonly Draft[]): Plan {
  const waitsFor = new Map(all.map((draft) => [draft, new Set(draft.children).size]))
  const order = all.filter((draft) => draft.children.length === 0)
  const leaves = order.length
  for (let i = 0; i < order.length; i++) {
    for (const parent of (order[i] as Draft).parents) {
      const left = (waitsFor.get(parent) as number) - 1
      waitsFor.set(parent, left)
      if (left === 0) order.push(parent)
    }
  }
  if (order.length < all.length) {
    const stuck = all.find((draft) => (waitsFor.get(draft) as number) > 0) as Draft
    throw invalid(stuck.where, 'it waits for itself, by the names of its children')
  }
  // What comes last has no parents; of those only the root may be.
  for (const [number, draft] of order.entries()) draft.number = number
  if (top.parents.size > 0) throw invalid('flow', 'the root is a child of its own flow')
  return { leaves, nodes: order.map(planned) }
}

function planned({ given, children, parents }: Draft): PlannedNode {
  const { topic, body, name, group } = given
  return {
    ...(topic === undefined ? {} : { topic, body }),
    ...(name === undefined ? {} : { name }),
    ...(group === undefined ? {} : { group }),
    options: Object.fromEntries(
      OPTION_NAMES.flatMap((option) => (given[option] === undefined ? [] : [[option, given[option]]])),
    ),
    children: [...new Set(children)].map(({ number }) => number),
    parents: [...parents].map((parent) => ({
      node: parent.number,
      policy: given.onFailure ?? parent.given.onChildFailure ?? 'fail',
    })),
  }
}

function checkNode(given: unknown, where: string, isAdded: boolean): void {
  if (typeof given !== 'object' || given === null) throw invalid(where, 'it should be { topic, body, ... }')
  const node = given as Record<string, unknown>
  const known = [...SETTINGS, ...OPTION_NAMES]
  for (const name of Object.keys(node)) {
    if (name === 'id') throw invalid(where, 'messages of a flow have ids of their own; give it a name instead')
    if (!known.includes(name)) throw invalid(where, `there is no option ${JSON.stringify(name)}`)
  }
  if (!isAdded && typeof node.topic !== 'string') throw invalid(where, 'it should have a topic')
  if (node.children !== undefined && !Array.isArray(node.children)) throw invalid(where, 'children should be an array')
  for (const option of ['onChildFailure', 'onFailure']) {
    if (node[option] !== undefined && !POLICIES.includes(node[option]))
      throw invalid(where, `${option} should be 'fail', 'continue' or 'wait'`)
  }
  if (node.name !== undefined && (typeof node.name !== 'string' || node.name === '' || node.name.length > 200))
    throw invalid(where, 'its name should be a text of 1 to 200 characters')
  if (node.group !== undefined && (typeof node.group !== 'string' || !/^[A-Za-z0-9._-]{1,100}$/.test(node.group)))
    throw invalid(where, 'its group should be 1 to 100 of A-Z a-z 0-9 . _ -')
}

export const invalid = (where: string, what: string): BuswayError =>
  new BuswayError('INVALID_OPTIONS', `flows: ${where}: ${what}.`, { details: { where } })
