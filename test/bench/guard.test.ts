/**
 * What a message costs Redis, through the real client: counts, not times, so that they are the same on every machine, and a change that makes
 * them worse fails. The bounds are in bounds.ts.
 */
import { existsSync } from 'node:fs'
import { createBus } from '@busway/bus'
import { expect } from 'chai'
import { type Measurement, measure } from '../../bench/src/measure.js'
import type { Metrics } from '../../bench/src/metrics.js'
import { busway } from '../../bench/src/peers/busway.js'
import { scenarioNamed } from '../../bench/src/scenarios/index.js'
import { useOfRedis } from '../../bench/src/server-info.js'
import { privateRedis } from '../support/private-redis.js'
import { BOUNDS, BYTES, IDLE } from './bounds.js'
import { PASSES, type PassName } from './passes.js'

function expectAtMost(figure: number | undefined, bound: number, what: string, look: string): void {
  const isKept = figure !== undefined && figure <= bound
  if (!isKept) expect.fail(`${what}: ${figure}, which should be at most ${bound}. Where to look: ${look}.`)
}

describe('what a message costs Redis', function () {
  this.timeout(60_000)
  const place = privateRedis()

  afterEach(() => place.redis.flushall())

  it('is looked for in files that exist', () => {
    const all = [...Object.values(BOUNDS), ...Object.values(BYTES), IDLE].map(({ look }) => look).join(' ')
    const files = all.match(/[\w-]+\/[\w/.-]+\.\w+/g) ?? []
    expect(files.filter((file) => !existsSync(new URL(`../../${file}`, import.meta.url)))).to.deep.equal([])
  })

  for (const name of Object.keys(PASSES) as PassName[])
    it(`${name}: at most ${BOUNDS[name].commands} commands in ${BOUNDS[name].scripts} script calls`, async () => {
      const { messages, scripts, commands, look } = BOUNDS[name]
      let counted: Metrics = {}
      await PASSES[name]({ redisUrl: place.server.url, queue: 'counted' }, messages, async (work) => {
        const done = () => work().then(() => ({}))
        counted = (await measure(() => useOfRedis(place.redis), messages, done)).metrics
      })
      expectAtMost(counted.redisScripts, scripts, `${name}, script calls per message`, look)
      expectAtMost(counted.redisCommands, commands, `${name}, Redis commands per message`, look)
    })

  for (const [scenario, { messages, bytes, look }] of Object.entries(BYTES))
    it(`${scenario}: at most ${bytes} bytes while it waits`, async () => {
      const stage = await scenarioNamed(scenario).open(busway, { redisUrl: place.server.url })
      let measured: Measurement | undefined
      await stage.pass(messages, async (work) => {
        measured = await measure(() => useOfRedis(place.redis), messages, work)
      })
      await stage.close()
      expectAtMost(measured?.metrics.bytes, bytes, `${scenario}, bytes per waiting message`, look)
    })

  /** What Redis does until it has run so many scripts, and for how many intervals, by its own clock. */
  async function watched(mostScripts: number, intervalMs: number) {
    const monitor = await place.redis.monitor()
    const seen = { scripts: 0, commands: 0, intervals: 0 }
    let startSeconds = 0
    await new Promise<void>((resolve) => {
      monitor.on('monitor', (time: string, [command]: string[]) => {
        startSeconds ||= Number(time)
        seen.commands++
        if (/^evalsha$/i.test(command ?? '')) seen.scripts++
        seen.intervals = ((Number(time) - startSeconds) * 1000) / intervalMs
        if (seen.scripts === mostScripts) resolve()
      })
    })
    monitor.disconnect()
    return seen
  }

  it(`${IDLE.subscriptions} idle subscriptions: ${IDLE.connections} connections, and no command but renewals`, async () => {
    const { subscriptions, leaseMs, connections, commandsPerRenewal, look } = IDLE
    const connected = async () => Number(/connected_clients:(\d+)/.exec(await place.redis.info('clients'))?.[1])
    const before = await connected()
    await using bus = createBus({ service: 'idle', redis: place.server.url, logger: false })
    const topics = Array.from({ length: subscriptions }, (_, i) => `idle-${i}`)
    await Promise.all(topics.map((topic) => bus.consume(topic, () => {}, { lease: leaseMs }).ready))
    expectAtMost((await connected()) - before, connections, 'connections', look)

    const { scripts, commands, intervals } = await watched(2 * subscriptions, leaseMs / 3)
    // A renewal may be due when it begins; timers that a busy machine delays make them fewer.
    const renewals = subscriptions * (Math.floor(intervals) + 1)
    expectAtMost(scripts, renewals, `script calls in ${intervals.toFixed(1)} renewal intervals`, look)
    expectAtMost(commands / scripts, commandsPerRenewal, 'Redis commands per renewal', look)
  })
})
