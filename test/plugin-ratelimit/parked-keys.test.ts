/** Keys that are parked in the fetch, at random: nothing is lost or overtaken, and no key has more than its rate. */
import { type ConsumeOptions, createBus } from '@busway/bus'
import { ratelimit } from '@busway/plugin-ratelimit'
import { expect } from 'chai'
import fc from 'fast-check'
import { eventually } from '../support/eventually.js'
import { world } from '../support/world.js'

const EVERY_MS = 20
const BURST = 2
/** Redis' clock has milliseconds. */
const CLOCK_MS = 1

interface Handled {
  readonly body: number
  readonly attempt: number
}

describe('ordering keys with a rate, at random', () => {
  const w = world()

  it('keep their order and their pace, each by itself, while some fail and are tried again', async function () {
    this.timeout(120_000)
    const { server, namespace } = w
    const settings = { service: 'ledger', redis: server.url, namespace, logger: false } as const
    const buses = [0, 1].map(() => createBus({ ...settings, plugins: [ratelimit()] }))
    for (const bus of buses) w.atEnd(() => bus.close({ timeout: 2000 }))
    const [bus] = buses as [(typeof buses)[number]]
    const batches = fc.array(
      fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), fails: fc.nat({ max: 9 }) }), {
        minLength: 1,
        maxLength: 12,
      }),
      { minLength: 1, maxLength: 4 },
    )
    let run = 0
    await fc.assert(
      fc.asyncProperty(batches, async (given) => {
        const topic = `orders-${++run}`
        const handled = new Map<string, Handled[]>()
        const handler = ({ key = '', body, attempt }: { key?: string; body: unknown; attempt: number }) => {
          const { n, fails } = body as { n: number; fails: number }
          const of = handled.get(key) ?? []
          handled.set(key, of)
          of.push({ body: n, attempt })
          if (fails === 0 && attempt === 1) throw new Error('the first time')
        }
        const options: ConsumeOptions<Record<string, unknown>, 'ratelimit'> = {
          rate: { limit: 1, per: EVERY_MS, burst: BURST, by: 'key' },
          retry: { delay: 1, jitter: 0 },
        }
        const subscriptions = buses.map((each) => each.consume(topic, handler, options))
        await Promise.all(subscriptions.map(({ ready }) => ready))
        const startedAt = performance.now()
        let n = 0
        const published = new Map<string, number[]>()
        for (const batch of given) {
          const entries = batch.map(({ key, fails }) => {
            published.set(key, [...(published.get(key) ?? []), n])
            return { body: { n: n++, fails }, key }
          })
          await bus.publishBatch(topic, entries)
        }
        await eventually(w, 'nothing left', async () => {
          const { ledger } = (await bus.topic(topic).stats()).groups
          const left = ledger && ledger.ready + ledger.inFlight + ledger.retrying + ledger.held
          const all = [...handled.values()].flat().filter(({ attempt }) => attempt === 1).length
          return left === 0 && all === n ? true : undefined
        })
        const tookMs = performance.now() - startedAt
        for (const [key, bodies] of published) {
          const of = handled.get(key) ?? []
          // In order, the second attempt of one before the first of the next.
          expect([...new Set(of.map(({ body }) => body))], `order of ${key}`).to.deep.equal(bodies)
          expect(of.map(({ body }) => body)).to.deep.equal(of.map(({ body }) => body).sort((x, y) => x - y))
          expect(of.map(({ attempt }) => attempt).every((attempt) => attempt <= 2)).to.equal(true)
          expect(tookMs, `pace of ${key}`).to.be.at.least((of.length - BURST) * EVERY_MS - of.length * CLOCK_MS)
        }
        await Promise.all(subscriptions.map((subscription) => subscription.close()))
        await bus.topic(topic).delete({ force: true })
      }),
      { numRuns: 25, includeErrorInReport: true },
    )
  })
})
