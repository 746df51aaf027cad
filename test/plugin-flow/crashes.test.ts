import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createBus } from '@busway/bus'
import { type FlowNode, flow } from '@busway/plugin-flow'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const FLOWS = 12
const BRANCHES = 3
const PARTS = 8

describe('flows whose processes are killed', () => {
  const w = world()

  it('handle each message once in effect, parents after their children, and end', async function () {
    this.timeout(90_000)
    const start = async (): Promise<ChildProcess> => {
      const env = { ...process.env, REDIS: w.server.url, NAMESPACE: w.namespace }
      const child = fork(new URL('./program.ts', import.meta.url), { env, execArgv: ['--import', 'tsx'] })
      w.atEnd(() => child.kill('SIGKILL'))
      await once(child, 'message')
      return child
    }
    const handled = new Received<string>()
    await w.bus().consume('handled', ({ body }) => handled.add(String(body)), { concurrency: 1 }).ready
    const { server, namespace } = w
    const publisher = createBus({
      service: 'publisher',
      redis: server.url,
      namespace,
      logger: false,
      plugins: [flow({ coordinate: false })],
    })
    w.atEnd(() => publisher.close())
    const all = FLOWS * (1 + BRANCHES + BRANCHES * PARTS)
    const branch = (at: number): FlowNode => ({
      topic: 'whole',
      body: 0,
      children: numbers(PARTS).map((n) => ({ topic: 'parts', body: at * PARTS + n })),
    })

    let running = await Promise.all([start(), start()])
    for (const n of numbers(FLOWS))
      await publisher.flows.publish(
        { topic: 'whole', body: 0, children: numbers(BRANCHES).map(branch) },
        { id: `f${n}` },
      )
    for (const share of [0.1, 0.3, 0.5, 0.7]) {
      await handled.until((items) => items.length >= all * share, `${share} of all`, 60_000)
      const [first, second] = running as [ChildProcess, ChildProcess]
      first.kill('SIGKILL')
      running = [second, await start()]
    }
    await handled.until((items) => new Set(items).size >= all, 'all of them', 60_000)
    expect(handled.items).to.have.length(all)
    // The order of handling is that of the settles: a parent's comes after those of its children.
    for (const n of numbers(FLOWS)) {
      const order = handled.items.filter((id) => id.startsWith(`f${n}/`)).map((id) => Number(id.split('/')[1]))
      expect(order.at(-1)).to.equal(BRANCHES * PARTS + BRANCHES)
    }
    for (const child of running) child.kill('SIGKILL')
    const results = await publisher.flows.get('f0')
    expect(results?.root.children.map(({ state }) => state)).to.deep.equal(['done', 'done', 'done'])
  })
})
