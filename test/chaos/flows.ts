/** The flows of a chaos run: trees whose parents are to run when their children have ended, and as those ended. */
import type { Random } from './random.js'
import type { Body, Plan } from './workload.js'

export const PARTS = 'parts.made'
export const REPORTS = 'reports.assembled'

export type Policy = 'fail' | 'continue'

/** A node of a flow. Its name is that of its body, too. */
export interface Planned {
  readonly name: string
  readonly topic: string
  readonly body: Body
  readonly onChildFailure: Policy
  readonly children: readonly Planned[]
}

/** The flows of one producer, one after the other: a report of two to four parts, one of which may be a report itself. */
export function flows(producer: string, random: Random): () => Planned {
  let seq = 0
  const policy = (): Policy => (random.oneIn(2) ? 'fail' : 'continue')
  const part = (name: string): Planned => {
    const chance = random.whole(20)
    const plan: Plan = chance < 2 ? 'retry' : chance < 3 ? 'dead' : chance < 4 ? 'slow' : 'ok'
    return { name, topic: PARTS, body: { name, plan }, onChildFailure: 'fail', children: [] }
  }
  const report = (name: string, depth: number): Planned => {
    // Only the root is sure to be wanted when it has added something.
    const plan: Plan = random.oneIn(8) ? 'retry' : depth === 0 && random.oneIn(4) ? 'more' : 'ok'
    const children = Array.from({ length: 2 + random.whole(3) }, (_, i) => {
      const child = `${name}.${i}`
      return depth === 0 && i === 0 && random.oneIn(3) ? report(child, depth + 1) : part(child)
    })
    return { name, topic: REPORTS, body: { name, plan }, onChildFailure: policy(), children }
  }
  return () => report(`${producer}:flow-${seq++}`, 0)
}

/** All nodes of a flow, the root first. */
export const nodesOf = (node: Planned): Planned[] => [node, ...node.children.flatMap(nodesOf)]

/** What `bus.flows` and `ctx.waitFor` take. */
export const asNode = ({ name, topic, body, onChildFailure, children }: Planned): object =>
  children.length === 0 ? { name, topic, body } : { name, topic, body, onChildFailure, children: children.map(asNode) }

const ADDED = '/more'

/** What a run adds to its message, which is then handled once more. */
export const addition = (run: string): Planned => {
  const name = `${run}${ADDED}`
  return { name, topic: PARTS, body: { name, plan: 'ok' }, onChildFailure: 'fail', children: [] }
}
/** The name of the message that is handled once more after that run: it is another, of the same body. */
export const afterwards = (run: string): string => `${run}/again`
/** The run that added one of these. */
export const adderOf = (children: readonly { readonly name: string }[]): string | undefined =>
  children.find(({ name }) => name.endsWith(ADDED))?.name.slice(0, -ADDED.length)
