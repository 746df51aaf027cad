/**
 * Random use of the scripts against a small model. The model says what must be in Redis after every step: nothing lost, nothing ended twice in a group,
 * order kept, counts as the lists and leases hold (docs/data-model.md), and nothing left behind when idle.
 */
import { advance, declare, open, outboxRead, outboxTrim, pause, purge, redrive, relay } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { namespaceIsClean, privateRedis } from '../support/private-redis.js'
import { becameDue, limited, paused, purged, redriven, removed } from './model/commands-administration.js'
import { cancelled, updated } from './model/commands-by-id.js'
import { advanced, advanceOutOfTurn, closed, expired, LEASE_MS, opened, synced } from './model/commands-consuming.js'
import {
  bounded,
  newPublish,
  publishOutOfTurn,
  relayed,
  repeatedPublish,
  retained,
} from './model/commands-publishing.js'
import { topicDeleted, topicPurged } from './model/commands-topic.js'
import { OTHER_TOPIC, REQUESTER, Real, TOPIC } from './model/real.js'
import { Model } from './model/state.js'
import { ScriptDriver } from './script-driver.js'

const RUNS = Number(process.env.BUSWAY_MODEL_RUNS ?? 60)

describe('the scripts, used at random', function () {
  this.timeout(180_000)
  const w = privateRedis()

  it('do what the model says, and leave nothing behind', async () => {
    let runs = 0
    const often = [
      newPublish,
      newPublish,
      newPublish,
      advanced,
      advanced,
      advanced,
      advanced,
      advanced,
      advanced,
      opened,
    ]
    const seldom = [
      repeatedPublish,
      publishOutOfTurn,
      relayed,
      advanceOutOfTurn,
      synced,
      expired,
      expired,
      closed,
      retained,
    ]
    const rare = [
      cancelled,
      cancelled,
      updated,
      updated,
      updated,
      cancelled,
      becameDue,
      becameDue,
      paused,
      limited,
      limited,
      bounded,
      bounded,
      retained,
      retained,
      redriven,
      purged,
      removed,
      topicPurged,
      topicDeleted,
    ]
    const sequences = fc.commands([...often, ...often, ...seldom, ...seldom, ...rare], { maxCommands: 60, size: 'max' })
    await fc.assert(
      fc.asyncProperty(sequences, fc.boolean(), async (commands, watched) => {
        const namespace = `${w.namespace}-${++runs}`
        const real = new Real(
          w.redis,
          namespace,
          new ScriptDriver(w.redis, namespace, { redisVersion: w.server.version }),
        )
        await real.start(watched)
        const model = new Model()
        await fc.asyncModelRun(() => ({ model, real }), commands)
        await drain(real, model)
        await real.stop()
        await w.redis.del(real.key(`replies:${REQUESTER}`))
        await namespaceIsClean(w.redis, namespace)
        await w.redis.eval(
          "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end",
          0,
          `${namespace}:*`,
        )
      }),
      {
        numRuns: RUNS,
        includeErrorInReport: true,
        ...(process.env.BUSWAY_MODEL_SEED && { seed: Number(process.env.BUSWAY_MODEL_SEED) }),
      },
    )
  })
})

/** Ends everything as a patient operator would: due, redriven, resumed, consumed. Each message that was given must come out, once. */
async function drain(real: Real, model: Model): Promise<void> {
  const nothing = { acks: [], releases: [], settles: [] }
  await real.run(declare, { settings: { retain: '' } })
  for (const topic of [TOPIC, OTHER_TOPIC]) {
    const run = <Q, A>(script: Parameters<typeof real.run<Q, A>>[0], request: Q) => real.run(script, request, topic)
    for (;;) {
      const { entries } = await run(outboxRead, { limit: 100 })
      if (entries.length === 0) break
      await real.run(relay, { entries: entries.map(({ entry }) => entry) }, OTHER_TOPIC)
      await run(outboxTrim, { destination: OTHER_TOPIC, tags: entries.map(({ tag }) => tag) })
    }
    const names = topic === TOPIC ? [...model.groups.keys(), ...(model.groups.size === 0 ? ['a'] : [])] : ['a']
    for (const name of names) {
      const session = `drainAAA~${name}`
      const settings = { leaseMs: LEASE_MS, concurrency: 1, maxCrashes: 3, info: '{}', deadMax: 1000, deadKeepMs: 1e9 }
      const { group } = await run(open, { group: name, session, ...settings })
      await run(pause, { group: name, paused: false })
      await run(redrive, { group: name, untilMs: Number.MAX_SAFE_INTEGER, limit: 1000 })
      // The clock passes everything: other sessions' leases and what is put off.
      const overdue = await real.redis.zrange(real.scripts.key(topic, `${group}:sessions`), '0', '-1')
      for (const each of overdue)
        if (each !== session) await real.redis.zadd(real.scripts.key(topic, `${group}:sessions`), 1, each)
      for (const key of ['scheduled', `${group}:retry`]) {
        const later = await real.redis.zrange(real.scripts.key(topic, key), '0', '-1')
        for (const member of later) await real.redis.zadd(real.scripts.key(topic, key), 1, member)
      }
      let acks: { lease: number }[] = []
      let idle = 0
      for (let number = 1; idle < 2; number++) {
        const request = {
          ...nothing,
          group,
          session,
          epoch: 0,
          number,
          want: 100,
          wantBytes: 1 << 20,
          acks,
          renew: true,
        }
        const reply = await run(advance, request)
        if (reply.status !== 'ok') throw new Error(`draining was answered ${reply.status}`)
        // A last crash made another dead letter.
        if (reply.recovered?.dead) await run(redrive, { group: name, untilMs: Number.MAX_SAFE_INTEGER, limit: 1000 })
        acks = reply.ranges.map(({ lease }) => ({ lease }))
        idle = acks.length === 0 && !reply.recovered && !reply.gone ? idle + 1 : 0
      }
      // What has expired dies whenever it is taken.
      await run(purge, { group: name, what: 'dead', limit: 1000, producer: 'purgeAAA' })
      expect(
        (await run(advance, { ...nothing, group, session, epoch: 0, number: 0, want: 0, wantBytes: 0, renew: false }))
          .status,
      ).to.equal('resync')
    }
  }
}
