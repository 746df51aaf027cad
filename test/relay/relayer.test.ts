import type { OutboxEntry, Script } from '@busway/lua'
import { expect } from 'chai'
import { BuswayError } from '../../packages/bus/src/errors/busway-error.js'
import { RedisFailureError } from '../../packages/bus/src/errors/redis-failure.js'
import type { BusRunner } from '../../packages/bus/src/redis/bus-runner.js'
import { createRelayer, type DurableRelay } from '../../packages/bus/src/relay/relayer.js'
import { LogLines } from '../support/log-lines.js'
import { Received } from '../support/received.js'

/** An outbox in memory and what arrived at its destinations. */
class FakeOutbox {
  readonly entries: OutboxEntry[] = []
  readonly arrived: string[] = []
  readonly calls = new Received<string>()
  readonly ensured: string[] = []
  /** Destinations that were, and are not declared since. */
  readonly deleted = new Set<string>()
  /** Destinations that refuse. */
  readonly broken = new Set<string>()
  /** Called at the next relay instead of it: the connection goes. */
  losing: (() => void) | undefined
  perRead = 100

  put(destination: string, number: number, bytes = 1): void {
    this.entries.push({ destination, tag: `s~1 ${number}`, entry: Buffer.alloc(bytes) })
  }

  async run(name: string, topic: string, request: unknown): Promise<unknown> {
    await new Promise((resolve) => setImmediate(resolve))
    switch (name) {
      case 'outbox-read':
        this.calls.add('read')
        return { entries: this.entries.slice(0, this.perRead), more: this.entries.length > this.perRead }
      case 'relay': {
        if (this.broken.has(topic)) throw new Error(`${topic} is broken`)
        if (this.losing !== undefined) {
          this.losing()
          this.losing = undefined
          throw new RedisFailureError('unknown', 'The connection failed before the answer')
        }
        const { entries } = request as { entries: Buffer[] }
        this.calls.add(`relay ${topic} ${entries.length}`)
        return { nowMs: 1, applied: entries.length, guardErrors: [], outbox: false, deleted: this.deleted.has(topic) }
      }
      case 'outbox-trim': {
        const { destination, tags } = request as { destination: string; tags: string[] }
        for (const tag of tags) {
          const at = this.entries.findIndex((entry) => entry.destination === destination && entry.tag === tag)
          this.entries.splice(at, 1)
          this.arrived.push(`${destination} ${tag}`)
        }
        this.calls.add('trim')
        return { left: 0 }
      }
      default:
        throw new Error(`no ${name} here`)
    }
  }
}

function relaying(outbox: FakeOutbox, confirm?: () => Promise<BuswayError | undefined>) {
  const log = new LogLines()
  const run = (script: Script<unknown, unknown>, topic: string, request: unknown) =>
    outbox.run(script.name, topic, request)
  const lost: (() => void)[] = []
  const runner = {
    run,
    runRepeatable: run,
    usable: async () => undefined,
    of: () => runner,
    on: (_event: 'down', listener: () => void) => lost.push(listener),
  } as unknown as BusRunner
  const publisher = {
    ensureTopic: async (topic: string) => void outbox.ensured.push(topic),
    forgetTopic: (topic: string) => void outbox.deleted.delete(topic),
  }
  const down = () => {
    for (const listener of lost) listener()
  }
  const durable = confirm && {
    runner: () => runner,
    confirmation: () => ({
      of: async (sent: Promise<unknown>) => ({ reply: await sent, unconfirmed: await confirm() }),
    }),
  }
  const parts = { runner, publisher, log: log.logger, ...(durable && { durable: durable as unknown as DurableRelay }) }
  return { relayer: createRelayer(parts), log, down }
}

describe('the relayer', () => {
  it('carries what is in the outbox to each destination, in order, making its topic first', async () => {
    const outbox = new FakeOutbox()
    for (const number of [1, 2, 3]) outbox.put(number === 2 ? 'b' : 'c', number)
    const { relayer } = relaying(outbox)
    relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.arrived).to.deep.equal(['c s~1 1', 'c s~1 3', 'b s~1 2'])
    expect(outbox.ensured.sort()).to.deep.equal(['b', 'c'])
    expect(outbox.entries).to.have.length(0)
  })

  it('declares a destination again that was deleted, and tries again', async () => {
    const outbox = new FakeOutbox()
    outbox.put('b', 1)
    outbox.deleted.add('b')
    const { relayer, log } = relaying(outbox)
    await relayer.relayed('a')
    expect(outbox.arrived).to.deep.equal(['b s~1 1'])
    expect(outbox.ensured).to.deep.equal(['b', 'b'])
    expect(log.items).to.deep.equal([])
  })

  it('goes on while there is more', async () => {
    const outbox = new FakeOutbox()
    outbox.perRead = 10
    for (let number = 1; number <= 35; number++) outbox.put('b', number)
    const { relayer } = relaying(outbox)
    relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.entries).to.have.length(0)
  })

  it('works on a topic once at a time, and once more if it was kicked meanwhile', async () => {
    const outbox = new FakeOutbox()
    const { relayer } = relaying(outbox)
    for (let i = 0; i < 10; i++) relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.calls.items).to.deep.equal(['read', 'read'])
  })

  it('leaves what cannot be relayed for the next kick, and relays the rest', async () => {
    const outbox = new FakeOutbox()
    outbox.perRead = 2
    outbox.put('broken', 1)
    outbox.put('b', 2)
    outbox.put('b', 3)
    outbox.broken.add('broken')
    const { relayer, log } = relaying(outbox)
    relayer.kick('a')
    await log.first(({ destination }) => destination === 'broken')
    await outbox.calls.until((calls) => calls.includes('trim'), 'the rest')
    expect(outbox.arrived).to.deep.equal(['b s~1 2'])
    outbox.broken.clear()
    relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.entries).to.have.length(0)
  })

  it('sends large entries in several calls', async () => {
    const outbox = new FakeOutbox()
    for (const number of [1, 2, 3]) outbox.put('b', number, 700_000)
    const { relayer } = relaying(outbox)
    relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.calls.items.filter((call) => call.startsWith('relay'))).to.have.length(3)
  })

  it('sends nothing over a connection that it was not read over, and reads again', async () => {
    const outbox = new FakeOutbox()
    for (const number of [1, 2]) outbox.put('b', number)
    outbox.put('c', 3)
    const { relayer, down } = relaying(outbox)
    outbox.losing = () => {
      down()
      // Rolled back, and settled anew under the same number.
      outbox.entries.splice(0)
      outbox.put('d', 1)
    }
    relayer.kick('a')
    await relayer.close(1_000)
    expect(outbox.calls.items).to.deep.equal(['read', 'read', 'relay d 1', 'trim'])
    expect(outbox.arrived).to.deep.equal(['d s~1 1'])
  })

  it('of a bus whose publishes are confirmed trims nothing before that', async () => {
    const outbox = new FakeOutbox()
    outbox.put('b', 1)
    const late = new BuswayError('PUBLISH_UNKNOWN', '0 of 1 replicas had confirmed it')
    const answers = [late, undefined]
    const { relayer, log } = relaying(outbox, async () => answers.shift())
    await relayer.relayed('a')
    expect(outbox.calls.items).to.deep.equal(['read', 'relay b 1'])
    expect(log.items[0]?.error).to.contain('0 of 1 replicas')
    await relayer.relayed('a')
    expect(outbox.arrived).to.deep.equal(['b s~1 1'])
  })

  it('takes no confirmation from a connection that has written nothing', async () => {
    const outbox = new FakeOutbox()
    outbox.put('b', 1)
    let cuts = 1
    const { relayer, down } = relaying(outbox, async () => {
      if (cuts-- > 0) down()
      return undefined
    })
    await relayer.relayed('a')
    expect(outbox.calls.items).to.deep.equal(['read', 'relay b 1', 'read', 'relay b 1', 'trim'])
  })

  it('starts nothing after close', async () => {
    const outbox = new FakeOutbox()
    const { relayer } = relaying(outbox)
    await relayer.close(1_000)
    relayer.kick('a')
    expect(outbox.calls.items).to.have.length(0)
  })
})
