import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { type Bus, createBus } from '@busway/bus'
import { expect } from 'chai'
import { partitionNames, partitionOfKey } from '../../packages/bus/src/partitions/names.js'
import { topicsWith } from '../support/partitioned.js'
import type { Worker } from '../support/worker.js'
import { world } from '../support/world.js'

const TOPIC = 'orders.paid'
const KEYS = 20
const PARTITIONS = 4
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('a topic with partitions, over processes', function () {
  this.timeout(60_000)
  const w = world()
  const bus = (): Bus => {
    const made = createBus({
      ...{ service: 'test', redis: w.server.url, namespace: w.namespace, logger: false },
      topics: topicsWith({ partitions: PARTITIONS }, TOPIC),
    }) as Bus
    made.on('error', () => {})
    w.atEnd(() => made.close({ timeout: 2_000 }))
    return made
  }

  it('keeps the order of each key and loses nothing, though consumers are killed', async () => {
    const count = 600
    const record = `${w.namespace}-record`
    w.atEnd(() => w.redis.del(record))
    const consume = { group: 'ledger', lease: 1_000, concurrency: 8, maxCrashes: 100, retry: { attempts: 100 } }
    const worker = () =>
      w.worker({ topic: TOPIC, partitions: PARTITIONS, behaviour: 'ack', workMs: 1, recordTo: record, consume })
    const [first, second] = (await Promise.all([worker(), worker(), worker()])) as [Worker, Worker, Worker]
    const publisher = bus()
    const publishing = Promise.all(
      numbers(count).map((n) => publisher.publish(TOPIC, n, { key: `k${n % KEYS}`, id: `${n}` })),
    )
    for (const victim of [first, second]) {
      await victim.until('settled', 40)
      await victim.kill()
    }
    await publishing
    const killed = new Set([first, second].map(({ pid }) => `${pid}`))
    const done = new Set<number>()
    const running = new Map<string, { readonly n: number; readonly pid: string }>()
    // What each run wrote down, in the order of the server. A message runs again only if its process was killed: from the first on of its key whose settle
    // did not come out of that process, and then all in their order.
    const reader = w.redis.duplicate()
    w.atEnd(() => reader.disconnect())
    while (done.size < count) {
      const [, line] = (await reader.blpop(record, 15)) ?? expect.fail(`${count - done.size} have not run`)
      const [what, id, pid = ''] = line.split(' ')
      const n = Number(id)
      const key = `k${n % KEYS}`
      const last = running.get(key) ?? { n: (n % KEYS) - KEYS, pid }
      if (what === 'start') {
        if (n === last.n + KEYS) {
          if (last.n >= 0) expect(done.has(last.n), `${key}: ${n} before the end of ${last.n}`).to.equal(true)
        } else {
          expect(n, `${key}: after ${last.n}`).to.be.at.most(last.n)
          expect(killed.has(last.pid) && pid !== last.pid, `${key}: ${n} again after ${last.n}`).to.equal(true)
        }
        running.set(key, { n, pid })
      } else {
        expect(last, `one at a time of ${key}`).to.deep.equal({ n, pid })
        done.add(n)
      }
    }
    expect(done.size).to.equal(count)
  })

  it('has each key in the same partition, whoever publishes', async () => {
    const program = `
      import { partitionNames, partitionOfKey } from ${JSON.stringify(new URL('../../packages/bus/dist/partitions/names.js', import.meta.url).href)}
      process.send(Array.from({ length: 500 }, (_, n) => partitionNames('orders.paid', 12)[partitionOfKey('ключ-' + n, 12)]))`
    const child = fork('-', { execArgv: ['--input-type=module', '-e', program] })
    const there = await new Promise<string[]>((resolve) =>
      child.once('message', (answer) => resolve(answer as string[])),
    )
    const here = numbers(500).map((n) => partitionNames(TOPIC, 12)[partitionOfKey(`ключ-${n}`, 12)] as string)
    expect(there).to.deep.equal(here)
    // And every version: this is what the first one said.
    expect(createHash('sha1').update(here.join()).digest('hex')).to.equal('75ad56e3a77487538c363c17bad2353ba63db778')
  })
})
