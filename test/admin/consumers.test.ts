/** Who consumes. */
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { world } from '../support/world.js'

const TOPIC = 'orders.paid'

describe('the consumers of a group', () => {
  const w = world()
  const group = () => w.bus().topic(TOPIC).group('test')

  it('are told with what they run, and until when they are believed', async () => {
    const bus = w.bus()
    const started = new Received<string>()
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const subscription = bus.consume(
      TOPIC,
      async ({ id }) => {
        started.add(id)
        await finished
      },
      { concurrency: 3, lookahead: 0, lease: '30s' },
    )
    w.atEnd(finish)
    await subscription.ready
    await bus.publishBatch(
      TOPIC,
      [1, 2, 3, 4].map((body) => ({ body })),
    )
    const ids = await started.count(3)
    const { items, cursor } = await group().consumers()
    expect(cursor).to.equal(undefined)
    expect(items).to.have.length(1)
    const [consumer] = items
    expect(consumer).to.deep.include({ service: 'test', pid: process.pid, closing: false, inFlight: 3, running: ids })
    const now = Date.now()
    expect(consumer?.since?.getTime()).to.be.within(now - 60_000, now + 1_000)
    expect(consumer?.leaseEndsAt.getTime()).to.be.within(now + 1, now + 31_000)
    const inFlight = await group().peek({ state: 'inFlight' })
    expect(inFlight.items.map(({ id, consumer }) => [id, consumer.id])).to.deep.equal(
      ids.map((id) => [id, consumer?.id]),
    )
  })

  it('are those that are alive, each once, page by page', async () => {
    for (let i = 0; i < 7; i++) await w.bus().consume(TOPIC, () => undefined).ready
    const gone = w.bus().consume(TOPIC, () => undefined)
    await gone.ready
    await gone.close()
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await group().consumers({ limit: 2, ...(cursor && { cursor }) })
      expect(page.items.length).to.be.at.most(2)
      found.push(...page.items.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(new Set(found).size).to.equal(7)
    expect(found).to.have.length((await group().stats()).consumers)
    const sessions = `${w.namespace}:{${TOPIC}}:test@1:sessions`
    for (const id of found.slice(0, 6)) await w.redis.zadd(sessions, 'XX', 1, id)
    // What is not alive any more is passed over, however many pages that is.
    const alive = await group().consumers({ limit: 1 })
    expect(alive.items.map(({ id }) => id)).to.deep.equal([found[6]])
  })

  it('are those of one group, and of one that exists', async () => {
    await w.bus().consume(TOPIC, () => undefined, { group: 'other' }).ready
    const topic = w.bus().topic(TOPIC)
    expect((await topic.group('other').consumers()).items).to.have.length(1)
    const error = await group()
      .consumers()
      .catch((e) => e)
    expect(error).to.have.property('code', 'UNKNOWN_GROUP')
    const hostile = await topic
      .group('other')
      .consumers({ cursor: 'no session' })
      .catch((e) => e)
    expect(hostile).to.have.property('code', 'INVALID_OPTIONS')
  })
})
