import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Bus, createBus, type Message } from '@busway/bus'
import { type ScheduleOptions, type ScheduleSpec, schedule } from '@busway/plugin-schedule'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Gate, Received } from '../support/received.js'
import { world } from '../support/world.js'

const failure = async (promise: Promise<unknown>): Promise<Error & Record<string, unknown>> =>
  promise.then(
    (value) => expect.fail(`resolved with ${JSON.stringify(value)}`),
    (error) => error,
  )
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('schedules', () => {
  const w = world()
  const scheduling = (options: ScheduleOptions = {}) => {
    const { server, namespace, log } = w
    const plugins = [schedule(options)] as const
    const bus = createBus({ service: 'reports', redis: server.url, namespace, logger: log.logger, plugins })
    bus.on('error', () => {})
    w.atEnd(() => bus.close({ timeout: 2000 }))
    return bus
  }
  const consume = async (bus: Pick<Bus, 'consume'>, topic = 'reports.wanted') => {
    const received = new Received<Message>()
    await bus.consume(topic, (message) => received.add(message)).ready
    return received
  }
  const every = (more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
    topic: 'reports.wanted',
    body: { kind: 'day' },
    every: 100,
    ...more,
  })
  /** The moments in the ids of what was published. */
  const dueOf = (messages: readonly Message[]) => messages.map(({ id }) => Number(/:(\d+)$/.exec(id)?.[1]))

  describe('fire', () => {
    it('each due time once, in order and never early, by whichever of several processes', async () => {
      const buses = numbers(3).map(() => scheduling())
      const received = await consume(w.bus())
      await buses[0]?.schedules.upsert('often', every({ headers: { from: 'schedule' }, priority: 3 }))
      const messages = await received.count(10)
      const due = dueOf(messages)
      const start = due[0] as number
      expect(due).to.deep.equal(numbers(10).map((n) => start + n * 100))
      for (const [i, message] of messages.entries()) {
        expect(message.time.getTime()).to.be.at.least((due[i] as number) - 1)
        expect(message).to.deep.include({ body: { kind: 'day' }, headers: { from: 'schedule' } })
      }
      await buses[1]?.schedules.remove('often')
    })

    it('by a cron expression with seconds', async () => {
      const bus = scheduling()
      const received = await consume(bus)
      await bus.schedules.upsert('seconds', { topic: 'reports.wanted', body: 1, cron: '* * * * * *' })
      const due = dueOf(await received.count(3))
      expect(due.map((ms) => ms % 1000)).to.deep.equal([0, 0, 0])
      expect((due[2] as number) - (due[0] as number)).to.equal(2000)
    }).timeout(10_000)

    it('as often as the limit says, until endAt, and from startAt on', async () => {
      const bus = scheduling()
      const received = await consume(bus)
      await bus.schedules.upsert('thrice', every({ limit: 3 }))
      await received.count(3)
      const over = await eventually(w, 'its end', async () => {
        const known = await bus.schedules.get('thrice')
        return known?.fired === 3 && known.nextAt === undefined ? known : undefined
      })
      expect(over.lastAt?.getTime()).to.equal(dueOf(received.items)[2])
      const startAt = new Date(Date.now() + 300)
      const bounded = await bus.schedules.upsert(
        'bounded',
        every({ startAt, endAt: new Date(startAt.getTime() + 150) }),
      )
      expect(bounded.nextAt).to.deep.equal(startAt)
      await received.count(5)
      await eventually(w, 'its end', async () =>
        (await bus.schedules.get('bounded'))?.nextAt === undefined ? true : undefined,
      )
      expect(dueOf(received.items.slice(3))).to.deep.equal([startAt.getTime(), startAt.getTime() + 100])
    })

    it('nothing twice and nothing less when processes that fire are killed with kill -9', async function () {
      this.timeout(60_000)
      const start = async (): Promise<ChildProcess> => {
        const env = { ...process.env, REDIS: w.server.url, NAMESPACE: w.namespace }
        const child = fork(new URL('./program.ts', import.meta.url), { env, execArgv: ['--import', 'tsx'] })
        w.atEnd(() => child.kill('SIGKILL'))
        await once(child, 'message')
        return child
      }
      const received = await consume(w.bus())
      const managing = scheduling({ fire: false })
      const first = await start()
      await managing.schedules.upsert('often', every({ missed: 'all' }))
      await received.count(5)
      const second = await start()
      first.kill('SIGKILL')
      await received.count(15)
      second.kill('SIGKILL')
      const third = await start()
      await received.until((items) => items.length >= 40, 'all that was missed', 50_000)
      third.kill('SIGKILL')
      const due = dueOf(received.items.slice(0, 40))
      const from = due[0] as number
      expect(due).to.deep.equal(numbers(40).map((n) => from + n * 100))
    })

    it('not late for a handler that is slow', async () => {
      const bus = scheduling()
      const gate = new Gate()
      const started = new Received<string>()
      await w.bus().consume(
        'reports.wanted',
        async ({ id }) => {
          started.add(id)
          await gate.opened
        },
        { concurrency: 1 },
      ).ready
      await bus.schedules.upsert('often', every())
      await started.count(1)
      await eventually(w, 'others to wait', async () => {
        const { groups } = await bus.topic('reports.wanted').stats()
        return (groups.test?.ready ?? 0) >= 3 ? true : undefined
      })
      await bus.schedules.remove('often')
      gate.open()
    })

    it('thousands of schedules at the cost of those that are due', async function () {
      this.timeout(60_000)
      const bus = scheduling()
      const received = await consume(bus)
      const far = new Date(Date.now() + 86_400_000)
      for (let n = 0; n < 2_000; n += 200)
        await Promise.all(numbers(200).map((i) => bus.schedules.upsert(`far-${n + i}`, every({ startAt: far }))))
      const calls = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await w.redis.info('commandstats'))?.[1])
      await bus.schedules.upsert('often', every())
      await received.count(2)
      const before = await calls()
      await received.count(7)
      expect((await calls()) - before, 'scripts for five times').to.be.at.most(75)
      await bus.topic('reports.wanted').delete({ force: true })
    })
  })

  describe('that were missed while nobody fired', () => {
    /** What is published first after a silence of about a second. */
    const afterSilence = async (missed: ScheduleSpec['missed']) => {
      const managing = scheduling({ fire: false })
      const received = await consume(w.bus())
      const made = await managing.schedules.upsert('often', every(missed === undefined ? {} : { missed }))
      const firstMs = made.nextAt?.getTime() as number
      // Time itself is what this waits for.
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const backMs = Date.now()
      const firing = scheduling()
      await firing.ready()
      const due = dueOf(await received.count(3))
      await firing.schedules.remove('often')
      return { firstMs, backMs, due }
    }
    it('are published each, if so asked', async () => {
      const { firstMs, due } = await afterSilence('all')
      expect(due).to.deep.equal([firstMs, firstMs + 100, firstMs + 200])
    })
    it('are published once, by default: the last of them', async () => {
      const { firstMs, backMs, due } = await afterSilence(undefined)
      expect(due[0]).to.be.above(firstMs + 500)
      expect(due[0]).to.be.at.least(backMs - 200)
      expect(due).to.deep.equal(numbers(3).map((n) => (due[0] as number) + n * 100))
    })
    it('are left out, if so asked', async () => {
      const { backMs, due } = await afterSilence('skip')
      expect(due[0]).to.be.at.least(backMs)
    })
  })

  describe('whose messages take longer than their interval', () => {
    it('leave out what would overlap, if so asked, and go on when it has ended', async () => {
      const bus = scheduling()
      const gate = new Gate()
      const started = new Received<string>()
      let running = 0
      let most = 0
      await w.bus().consume('reports.wanted', async ({ id }) => {
        most = Math.max(most, ++running)
        started.add(id)
        if (started.items.length === 1) await gate.opened
        running--
      }).ready
      await bus.schedules.upsert('often', every({ overlap: 'skip' }))
      await started.count(1)
      const key = `${w.namespace}:{$schedule}:x:schedule:definitions`
      const next = async () => (await bus.schedules.get('often'))?.nextAt?.getTime() ?? 0
      const before = await next()
      await eventually(w, 'times to pass', async () => ((await next()) > before + 300 ? true : undefined))
      expect(await w.redis.hlen(key)).to.equal(1)
      expect(started.items).to.have.length(1)
      gate.open()
      await started.count(3)
      expect(most).to.equal(1)
    })
  })

  describe('can be', () => {
    it('changed while they fire: what belongs to the old one has no effect', async () => {
      const bus = scheduling()
      const received = await consume(bus)
      const other = await consume(bus, 'others.wanted')
      for (const n of numbers(10)) {
        await bus.schedules.upsert('often', every({ body: n, topic: n % 2 ? 'others.wanted' : 'reports.wanted' }))
        await (n % 2 ? other : received).first(({ body }) => body === n)
      }
      await bus.schedules.remove('often')
      const all = [...received.items, ...other.items]
      expect(new Set(all.map(({ id }) => id)).size).to.equal(all.length)
      await eventually(w, 'nothing pending', async () =>
        (await w.redis.zcard(`${w.namespace}:{$schedule}:scheduled`)) === 0 ? true : undefined,
      )
    })

    it('upserted at once by many: one pending time is left, of the one that stands', async () => {
      const buses = numbers(4).map(() => scheduling({ fire: false }))
      const far = new Date(Date.now() + 3_600_000)
      await Promise.all(
        numbers(40).map((n) =>
          (buses[n % 4] as (typeof buses)[0]).schedules.upsert('raced', every({ body: n, startAt: far })),
        ),
      )
      const pending = await w.redis.zrange(`${w.namespace}:{$schedule}:scheduled`, '0', '-1')
      expect(pending).to.have.length(1)
      expect((await buses[0]?.schedules.get('raced'))?.nextAt).to.deep.equal(far)
      // The same again changes nothing.
      const known = await buses[0]?.schedules.get('raced')
      await Promise.all(buses.map((bus) => bus.schedules.upsert('raced', every({ body: known?.body, startAt: far }))))
      expect(await w.redis.zrange(`${w.namespace}:{$schedule}:scheduled`, '0', '-1')).to.deep.equal(pending)
    })

    it('paused and resumed, run now, listed and removed', async () => {
      const bus = scheduling()
      const received = await consume(bus)
      const far = new Date(Date.now() + 3_600_000)
      for (const n of numbers(5)) await bus.schedules.upsert(`report-${n}`, every({ body: n, startAt: far }))
      const first = await bus.schedules.list({ limit: 3 })
      expect(first.items.map(({ id }) => id)).to.deep.equal(['report-0', 'report-1', 'report-2'])
      const rest = await bus.schedules.list({ limit: 3, cursor: first.cursor as string })
      expect(rest.items.map(({ id }) => id)).to.deep.equal(['report-3', 'report-4'])
      expect(rest.cursor).to.equal(undefined)
      expect(await bus.schedules.pause('report-0')).to.equal(true)
      expect(await bus.schedules.get('report-0'))
        .to.include({ paused: true })
        .and.not.have.property('nextAt')
      const receipt = await bus.schedules.runNow('report-0')
      expect((await received.count(1))[0]).to.include({ id: receipt?.id, body: 0 })
      expect(await bus.schedules.resume('report-0')).to.equal(true)
      expect((await bus.schedules.get('report-0'))?.nextAt).to.deep.equal(far)
      expect(await bus.schedules.remove('report-0')).to.equal(true)
      expect(await bus.schedules.remove('report-0')).to.equal(false)
      expect(await bus.schedules.get('report-0')).to.equal(null)
      expect(await bus.schedules.runNow('report-0')).to.equal(null)
      expect(await bus.schedules.pause('report-0')).to.equal(false)
      expect(await w.redis.zcard(`${w.namespace}:{$schedule}:scheduled`)).to.equal(4)
    })
  })

  it('go on with the next time when one cannot be published, and say why', async () => {
    const { server, namespace, log } = w
    let isBroken = true
    const body = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => (isBroken ? { issues: [{ message: 'is broken' }] } : { value }),
      },
    }
    const plugins = [schedule()] as const
    const { defineTopics } = await import('@busway/bus')
    const topics = defineTopics({ 'reports.wanted': { body } })
    const bus = createBus({ service: 'reports', redis: server.url, namespace, logger: log.logger, plugins, topics })
    w.atEnd(() => bus.close())
    const received = new Received<string>()
    await bus.consume('reports.wanted', ({ id }) => received.add(id)).ready
    await bus.schedules.upsert('often', { topic: 'reports.wanted', body: 1 as never, every: 100 })
    const known = await eventually(w, 'its error', async () => {
      const known = await bus.schedules.get('often')
      return known?.lastError === undefined ? undefined : known
    })
    expect(known.lastError).to.contain('is broken')
    isBroken = false
    await received.count(2)
    await eventually(w, 'the error to go', async () =>
      (await bus.schedules.get('often'))?.lastError === undefined ? true : undefined,
    )
  })

  it('are refused with what is wrong, before anything is written', async () => {
    const bus = scheduling({ fire: false })
    const wrong: [string, object][] = [
      ['cron', { every: undefined, cron: '0 25 * * *' }],
      ['cron', { cron: '0 3 * * *' }],
      ['cron', { every: undefined }],
      ['every', { every: '5ms' }],
      ['timezone', { every: undefined, cron: '@daily', timezone: 'Mars/Olympus' }],
      ['timezone', { timezone: 'UTC' }],
      ['limit', { limit: 0 }],
      ['overlap', { overlap: 'never' }],
      ['missed', { missed: 'some' }],
      ['startAt', { startAt: 'tomorrow' }],
      ['endAt', { startAt: new Date(2), endAt: new Date(1) }],
      ['body', { body: undefined }],
      ['topic', { topic: 7 }],
      ['dely', { dely: 5 }],
    ]
    for (const [option, more] of wrong) {
      const error = await failure(bus.schedules.upsert('wrong', every(more as never)))
      expect(error, JSON.stringify(more)).to.include({ code: 'INVALID_OPTIONS' })
      expect(error.message, JSON.stringify(more)).to.contain(option)
    }
    expect(await failure(bus.schedules.upsert('a b', every()))).to.include({ code: 'INVALID_OPTIONS' })
    expect(await failure(bus.schedules.list({ limit: 0 }))).to.include({ code: 'INVALID_OPTIONS' })
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(await failure(bus.schedules.upsert('wrong', every({ body: circle })))).to.include({ code: 'INVALID_BODY' })
    expect(() => schedule({ concurrency: 0 })).to.throw('concurrency')
    expect(await w.redis.keys(`${w.namespace}:*`)).to.deep.equal([])
  })
})
