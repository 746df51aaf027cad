import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { type Bus, createBus } from '@busway/bus'
import { expect } from 'chai'
import { partitionNames, partitionOfKey } from '../../packages/bus/src/partitions/names.js'
import { topicsWith } from '../support/partitioned.js'
import type { Worker } from '../support/worker.js'
import { world } from '../support/world.js'

const TOPIC = 'orders.paid'
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
      numbers(count).map((n) => publisher.publish(TOPIC, n, { key: `k${n % 20}`, id: `${n}` })),
    )
    for (const victim of [first, second]) {
      await victim.until('settled', 40)
      await victim.kill()
    }
    await publishing
    const done = new Set<number>()
    const running = new Map<string, number>()
    // What each run wrote down, in the order of the server: a message runs again only if its process was killed.
    const reader = w.redis.duplicate()
    w.atEnd(() => reader.disconnect())
    while (done.size < count) {
      const [, line] = (await reader.blpop(record, 15)) ?? expect.fail(`${count - done.size} have not run`)
      const [what, id] = line.split(' ')
      const n = Number(id)
      const key = `k${n % 20}`
      const before = running.get(key) ?? -1
      if (what === 'start') {
        expect(n === before || n > before, `${key}: ${n} after ${before}`).to.equal(true)
        if (n > before && before >= 0)
          expect(done.has(before), `${key}: ${n} before the end of ${before}`).to.equal(true)
        running.set(key, n)
      } else {
        expect(before, `one at a time of ${key}`).to.equal(n)
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
