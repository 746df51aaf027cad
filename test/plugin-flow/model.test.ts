/** Flows at random, against what must come of them: graphs, policies, retries, dead letters that are redriven. */
import { createBus, type Message, UnrecoverableError } from '@busway/bus'
import { type FailurePolicy, type FlowChild, type FlowNode, flow } from '@busway/plugin-flow'
import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { world } from '../support/world.js'

type Behaviour = 'done' | 'retried' | 'dead'
interface Given {
  readonly behaviour: Behaviour
  readonly policy: FailurePolicy
  readonly ownPolicy: FailurePolicy | undefined
  /** Of the nodes after it, which are its parents. */
  readonly parents: readonly number[]
}

const policies = fc.constantFrom('fail', 'continue', 'wait')
const given: fc.Arbitrary<Given> = fc.record({
  behaviour: fc.constantFrom('done', 'done', 'done', 'retried', 'dead'),
  policy: policies,
  ownPolicy: fc.option(policies, { nil: undefined, freq: 3 }),
  parents: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 2 }),
})

/** Its parents by number; the last node is the root, and has none. */
const parentsOf = (nodes: readonly Given[], n: number): number[] =>
  n === nodes.length - 1
    ? []
    : [...new Set((nodes[n] as Given).parents.map((step) => Math.min(nodes.length - 1, n + 1 + step)))]
const childrenOf = (nodes: readonly Given[], n: number): number[] =>
  nodes.flatMap((_, child) => (parentsOf(nodes, child).includes(n) ? [child] : []))
const policyOf = (nodes: readonly Given[], child: number, parent: number): FailurePolicy =>
  (nodes[child] as Given).ownPolicy ?? (nodes[parent] as Given).policy

/** `dead`: the first time; redriven it is done. `gone`: failed by a child, and never handled. */
function fateOf(nodes: readonly Given[], n: number): 'done' | 'dead' | 'gone' {
  const failsByOne = childrenOf(nodes, n).some((child) => {
    const policy = policyOf(nodes, child, n)
    const fate = fateOf(nodes, child)
    return (policy === 'fail' && fate !== 'done') || (policy === 'wait' && fate === 'gone')
  })
  if (failsByOne) return 'gone'
  return (nodes[n] as Given).behaviour === 'dead' ? 'dead' : 'done'
}

function flowOf(nodes: readonly Given[]): FlowNode {
  const placed = new Set<number>()
  const place = (n: number): FlowNode => ({
    topic: n % 2 === 0 ? 'even' : 'odd',
    body: n,
    name: `n${n}`,
    onChildFailure: (nodes[n] as Given).policy,
    ...((nodes[n] as Given).ownPolicy === undefined
      ? {}
      : { onFailure: (nodes[n] as Given).ownPolicy as FailurePolicy }),
    children: childrenOf(nodes, n).map((child) => {
      if (placed.has(child)) return `n${child}`
      placed.add(child)
      return place(child)
    }),
  })
  return place(nodes.length - 1)
}

describe('flows at random', () => {
  const w = world()

  it('end as their model does', async function () {
    this.timeout(120_000)
    const { server, namespace } = w
    const settings = { service: 'worker', redis: server.url, namespace, logger: false } as const
    const buses = [0, 1].map(() => createBus({ ...settings, plugins: [flow({ keep: '1m' })] }))
    for (const bus of buses) w.atEnd(() => bus.close({ timeout: 2000 }))
    interface Handling {
      readonly nodes: readonly Given[]
      readonly starts: Map<number, number>
      readonly seen: Map<number, FlowChild[]>
    }
    const handling = new Map<string, Handling>()
    const handle = async ({ id, body, attempt }: Message, children: () => Promise<FlowChild[]>) => {
      const known = handling.get(id.split('/')[0] as string) as Handling
      const n = Number(body)
      known.starts.set(n, (known.starts.get(n) ?? 0) + 1)
      known.seen.set(n, await children())
      const { behaviour } = known.nodes[n] as Given
      if (behaviour === 'retried' && attempt === 1) throw new Error('the first time')
      if (behaviour === 'dead' && known.starts.get(n) === 1) throw new UnrecoverableError('dead')
      return n
    }
    for (const bus of buses) {
      for (const topic of ['even', 'odd']) {
        await bus.consume(topic, (message, ctx) => handle(message, ctx.children), { retry: { delay: 1, maxDelay: 5 } })
          .ready
      }
    }
    const [bus] = buses as [(typeof buses)[number]]
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 9 }), async (nodes) => {
        const id = `f${++runs}`
        const known: Handling = { nodes, starts: new Map(), seen: new Map() }
        handling.set(id, known)
        await bus.flows.publish(flowOf(nodes), { id })
        const fate = fateOf(nodes, nodes.length - 1)
        const state = await eventually(w, `the end of ${id}`, async () => {
          const found = await bus.flows.get(id)
          if (found === null || found.state !== 'open') return found?.state
          // Dead letters of other flows may be redriven with it, which ended before: that changes nothing of them.
          if (String(found).includes(': dead'))
            await Promise.all(['even', 'odd'].map((topic) => bus.topic(topic).group('worker').redrive('all')))
          return undefined
        })
        // What is redriven for another's sake may be the root, which then is done after all.
        if (fate === 'done') expect(state).to.equal('done')
        else if (fate === 'gone') expect(state).to.equal('failed')
        for (const [n, children] of known.seen) {
          expect(fateOf(nodes, n), `n${n} is handled`).not.to.equal('gone')
          expect(children.map(({ name }) => Number(name?.slice(1))).sort()).to.deep.equal(childrenOf(nodes, n).sort())
          for (const { name, outcome, result } of children) {
            const child = Number(name?.slice(1))
            if (policyOf(nodes, child, n) !== 'continue' || outcome === 'done')
              expect({ child, outcome, result }).to.deep.equal({ child, outcome: 'done', result: child })
          }
        }
        for (const [n, starts] of known.starts) {
          const most = { done: 1, retried: 2, dead: 2 }[(nodes[n] as Given).behaviour]
          expect(starts, `starts of n${n}`).to.be.at.most(most)
        }
      }),
      { numRuns: Number(process.env.BUSWAY_FLOW_RUNS ?? 60) },
    )
  })
})
