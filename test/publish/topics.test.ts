import { type BuswayError, createBus, defineTopics, type StandardSchemaV1, topicTypes, type } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

/** A schema of the test's own, as a library would give it: checks an id, and fills in a default. */
const order = (
  wait: boolean,
): StandardSchemaV1<unknown, { id: string; lines: { sku: string }[]; currency?: string }> => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const { id, lines } = value as { id: unknown; lines: { sku: unknown }[] }
      const issues = [
        ...(typeof id === 'string' ? [] : [{ message: 'expected a string', path: ['id'] }]),
        ...lines.flatMap(({ sku }, i) =>
          typeof sku === 'string' ? [] : [{ message: 'expected a sku', path: ['lines', { key: i }, 'sku'] }],
        ),
      ]
      const result = issues.length > 0 ? { issues } : { value: { currency: 'EUR', ...(value as object) } as never }
      return wait ? Promise.resolve(result) : result
    },
  },
})

describe('a topic with a schema', () => {
  const w = world()
  for (const wait of [false, true]) {
    const topics = defineTopics({
      'orders.paid': order(wait),
      'orders.sent': { body: type<number>(), groups: ['audit'] },
    })
    const bus = () => {
      const made = createBus({ service: 'test', redis: w.server.url, namespace: w.namespace, logger: false, topics })
      w.atEnd(() => made.close({ timeout: 1_000 }))
      return made
    }

    describe(wait ? 'that checks asynchronously' : 'that checks at once', () => {
      it('refuses a body that does not fit, with every issue and its path, and writes nothing', async () => {
        const bad = { id: 7, lines: [{ sku: 'a' }, { sku: 1 }] } as never
        const error = await bus()
          .publish('orders.paid', bad)
          .catch((failure: BuswayError) => failure)
        expect(error).to.have.property('code', 'INVALID_BODY')
        expect((error as BuswayError).message)
          .to.include('body.id: expected a string')
          .and.include('body.lines[1].sku: expected a sku')
        expect((error as BuswayError).details.issues).to.have.length(2)
        expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
      })

      it('publishes what the schema gives', async () => {
        const used = bus()
        const received = new Received<unknown>()
        await used.consume('orders.paid', ({ body }) => received.add(body)).ready
        await used.publish('orders.paid', { id: '1', lines: [] })
        await used.publishBatch('orders.paid', [{ body: { id: '2', lines: [] } }])
        expect(await received.count(2)).to.deep.equal([
          { currency: 'EUR', id: '1', lines: [] },
          { currency: 'EUR', id: '2', lines: [] },
        ])
      })
    })
  }

  it('is not defined: INVALID_TOPIC with the nearest that is', async () => {
    const bus = createBus({
      service: 'test',
      redis: w.server.url,
      logger: false,
      topics: defineTopics({ 'orders.paid': type<number>() }),
    })
    const error = await bus.publish('orders.payed' as 'orders.paid', 1).catch((failure: BuswayError) => failure)
    expect((error as BuswayError).message).to.include('"orders.paid"')
    expect(() => bus.topic('orders.payed' as 'orders.paid')).to.throw('"orders.paid"')
    await bus.close()
  })

  it('may declare groups, which then get what was published before they came', async () => {
    const topics = defineTopics({ 'orders.sent': { body: type<number>(), groups: ['audit', 'ledger'] } })
    const bus = createBus({ service: 'test', redis: w.server.url, namespace: w.namespace, logger: false, topics })
    await bus.publish('orders.sent', 1)
    const { groups, unclaimed } = await bus.topic('orders.sent').stats()
    expect(unclaimed).to.equal(0)
    expect(groups.audit?.ready).to.equal(1)
    expect(groups.ledger?.ready).to.equal(1)
    await bus.close()
  })
})

describe('defineTopics', () => {
  const cases: [string, () => unknown, string][] = [
    ['a name that is none', () => defineTopics({ 'a:b': type<number>() }), 'a:b'],
    ['no schema', () => defineTopics({ a: {} as never }), 'schema'],
    ['no partitions', () => defineTopics({ a: { body: type<number>(), partitions: 0 } }), 'partitions'],
    ['an unknown setting', () => defineTopics({ a: { body: type<number>(), retian: '7d' } as never }), '"retain"'],
    ['a group that is none', () => defineTopics({ a: { body: type<number>(), groups: ['a b'] } }), 'a b'],
    ['a group twice', () => defineTopics({ a: { body: type<number>(), groups: ['x', 'x'] } }), 'twice'],
    ['a number to retain that is none', () => defineTopics({ a: { body: type<number>(), retain: 1.5 } }), 'retain'],
    ['a retention that is none', () => defineTopics({ a: { body: type<number>(), retain: '-1d' } }), 'retain'],
  ]
  for (const [what, make, says] of cases) it(`refuses ${what}`, () => expect(make).to.throw(says))

  it('makes values; topicTypes only types', () => {
    expect(Object.keys(defineTopics({ a: type<number>() }).definitions ?? {})).to.deep.equal(['a'])
    expect(topicTypes<{ a: number }>().definitions).to.equal(undefined)
  })
})
