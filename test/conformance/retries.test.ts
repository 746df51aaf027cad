import { RetryAfterError, UnrecoverableError } from '@busway/bus'
import { expect } from 'chai'
import { Received } from '../support/received.js'
import { namespaceIsClean } from '../support/world.js'
import { conformance } from './suite.js'

/** Redis counts whole milliseconds, so a delay may end up to one before its time by a finer clock. */
const CLOCK_GRAIN_MS = 1.5

interface Run {
  readonly id: string
  readonly attempt: number
  readonly redelivered: boolean
  readonly startedMs: number
}

conformance('retries', (world) => {
  /** Consumes with a handler that fails as told, and collects its runs. */
  const consume = (fail: (run: Run) => unknown, options: Parameters<ReturnType<typeof world.bus>['consume']>[2]) => {
    const runs = new Received<Run & { failedMs?: number }>()
    const bus = world.bus()
    const subscription = bus.consume(
      'orders.paid',
      ({ id, attempt, redelivered }) => {
        const run = { id, attempt, redelivered, startedMs: performance.now() }
        const error = fail(run)
        runs.add({ ...run, failedMs: performance.now() })
        if (error) throw error
      },
      options,
    )
    return { bus, runs, subscription, group: bus.topic('orders.paid').group('test') }
  }
  /** How long after the end of each run the next one began. */
  const pauses = (runs: readonly (Run & { failedMs?: number })[]) =>
    runs.slice(1).map((run, i) => run.startedMs - (runs[i]?.failedMs as number))

  it('runs a message again after an error, then settles it', async () => {
    const { bus, runs, subscription } = consume(({ attempt }) => attempt < 3 && new Error('not yet'), {
      retry: { attempts: 5, delay: 10, jitter: 0 },
    })
    await bus.publish('orders.paid', 1)
    const seen = await runs.count(3)
    expect(seen.map(({ attempt, redelivered }) => [attempt, redelivered])).to.deep.equal([
      [1, false],
      [2, true],
      [3, true],
    ])
    await subscription.close()
    expect(runs.items).to.have.length(3)
    await namespaceIsClean(world.redis, world.namespace)
  })

  for (const attempts of [1, 2, 4]) {
    it(`attempts a message exactly ${attempts} times if told so, then keeps it as a dead letter`, async () => {
      const { bus, runs, group, subscription } = consume(() => new TypeError('no such customer'), {
        retry: { attempts, delay: 5, jitter: 0 },
      })
      const { id } = await bus.publish('orders.paid', { order: 7 }, { headers: { trace: 'x' } })
      await runs.count(attempts)
      await subscription.close()
      expect(runs.items.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4].slice(0, attempts))
      const { items, cursor } = await group.deadLetters()
      expect(cursor).to.equal(undefined)
      expect(items).to.have.length(1)
      const [letter] = items
      expect(letter).to.deep.include({
        id,
        topic: 'orders.paid',
        headers: { trace: 'x' },
        body: { order: 7 },
        attempts,
        crashes: 0,
        reason: 'attempts',
      })
      expect(letter?.error).to.deep.include({ name: 'TypeError', message: 'no such customer' })
    })
  }

  it('makes a dead letter of the first failure with retry: false', async () => {
    const { bus, runs, group, subscription } = consume(() => new Error('no'), { retry: false })
    await bus.publish('orders.paid', 1)
    await runs.count(1)
    await subscription.close()
    expect(runs.items).to.have.length(1)
    expect((await group.stats()).dead).to.equal(1)
  })

  describe('backoff', () => {
    it('doubles from delay up to maxDelay, and is never early', async () => {
      const { bus, runs } = consume(() => new Error('no'), {
        retry: { attempts: 6, backoff: 'exponential', delay: 20, maxDelay: 100, jitter: 0 },
      })
      await bus.publish('orders.paid', 1)
      const waited = pauses(await runs.count(6))
      for (const [i, atLeast] of [20, 40, 80, 100, 100].entries())
        expect(waited[i]).to.be.at.least(atLeast - CLOCK_GRAIN_MS)
    })

    it('is fixed if told so', async () => {
      const { bus, runs } = consume(() => new Error('no'), {
        retry: { attempts: 4, backoff: 'fixed', delay: 60, jitter: 0 },
      })
      await bus.publish('orders.paid', 1)
      for (const waited of pauses(await runs.count(4))) expect(waited).to.be.at.least(60 - CLOCK_GRAIN_MS)
    })

    it('is what a function says, which knows attempt and error', async () => {
      const asked: unknown[] = []
      const { bus, runs } = consume(({ attempt }) => new Error(`failure ${attempt}`), {
        retry: {
          attempts: 3,
          jitter: 0,
          backoff: (attempt, error) => {
            asked.push([attempt, (error as Error).message])
            return attempt * 50
          },
        },
      })
      await bus.publish('orders.paid', 1)
      const [first, second] = pauses(await runs.count(3))
      expect(first).to.be.at.least(50 - CLOCK_GRAIN_MS)
      expect(second).to.be.at.least(100 - CLOCK_GRAIN_MS)
      expect(asked).to.deep.equal([
        [1, 'failure 1'],
        [2, 'failure 2'],
      ])
    })

    it('takes no more than its part of a delay by chance', async () => {
      const { bus, runs } = consume(({ attempt }) => attempt === 1 && new Error('no'), {
        retry: { attempts: 2, backoff: 'fixed', delay: 100, jitter: 0.5 },
        concurrency: 50,
      })
      await bus.publishBatch(
        'orders.paid',
        Array.from({ length: 50 }, (_, body) => ({ body })),
      )
      const all = await runs.count(100)
      const waits = all
        .filter(({ attempt }) => attempt === 2)
        .map(
          ({ id, startedMs }) =>
            startedMs - (all.find((run) => run.id === id && run.attempt === 1)?.failedMs as number),
        )
      expect(Math.min(...waits)).to.be.at.least(50 - CLOCK_GRAIN_MS)
    })

    it('lets others pass meanwhile', async () => {
      const { bus, runs } = consume(({ attempt, id }) => id === 'slow' && attempt === 1 && new Error('no'), {
        retry: { attempts: 2, delay: 200, jitter: 0 },
        concurrency: 1,
      })
      await bus.publish('orders.paid', 0, { id: 'slow' })
      for (let n = 1; n <= 20; n++) await bus.publish('orders.paid', n, { id: `fast-${n}` })
      await runs.count(22)
      expect(runs.items.at(-1)).to.deep.include({ id: 'slow', attempt: 2 })
    })
  })

  describe('RetryAfterError', () => {
    it('chooses the delay', async () => {
      const { bus, runs } = consume(({ attempt }) => attempt === 1 && new RetryAfterError(120), {
        retry: { attempts: 2, delay: 1, jitter: 0 },
      })
      await bus.publish('orders.paid', 1)
      expect(pauses(await runs.count(2))[0]).to.be.at.least(120 - CLOCK_GRAIN_MS)
    })

    it('counts an attempt, unless told not to', async () => {
      let left = 4
      const { bus, runs, group, subscription } = consume(
        () => (left-- > 0 ? new RetryAfterError(5, { countAttempt: false }) : new RetryAfterError(5)),
        { retry: { attempts: 2, delay: 1, jitter: 0 } },
      )
      await bus.publish('orders.paid', 1)
      await runs.count(6)
      await subscription.close()
      expect(runs.items.map(({ attempt }) => attempt)).to.deep.equal([1, 1, 1, 1, 1, 2])
      expect((await group.deadLetters()).items[0]).to.deep.include({ attempts: 2, reason: 'attempts' })
    })
  })

  it('makes a dead letter at once of an UnrecoverableError', async () => {
    const { bus, runs, group, subscription } = consume(() => new UnrecoverableError('the customer is gone'), {
      retry: { attempts: 5, delay: 1 },
    })
    await bus.publish('orders.paid', 1)
    await runs.count(1)
    await subscription.close()
    expect(runs.items).to.have.length(1)
    const [letter] = (await group.deadLetters()).items
    expect(letter).to.deep.include({ attempts: 1, reason: 'unrecoverable' })
    expect(letter?.error.message).to.contain('the customer is gone')
  })

  it('keeps what one group fails out of the others', async () => {
    const bus = world.bus()
    const good = new Received<unknown>()
    const bad = new Received<unknown>()
    await bus.consume('orders.paid', ({ body }) => good.add(body), { group: 'good' }).ready
    await bus.consume(
      'orders.paid',
      ({ body }) => {
        bad.add(body)
        throw new Error('no')
      },
      { group: 'bad', retry: { attempts: 2, delay: 1, jitter: 0 } },
    ).ready
    await bus.publishBatch('orders.paid', [{ body: 1 }, { body: 2 }, { body: 3 }])
    await good.count(3)
    await bad.count(6)
    await bus.close()
    const { groups } = await world.bus().topic('orders.paid').stats()
    expect(good.items).to.have.length(3)
    expect([groups.good?.dead, groups.bad?.dead]).to.deep.equal([0, 3])
  })
})
