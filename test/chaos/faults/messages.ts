/** Messages that do harm. */
import { createBus } from '@busway/bus'
import { deadline } from '../../support/deadline.js'
import { eventually } from '../../support/eventually.js'
import { watched } from '../sites/site.js'
import { type Body, durabilityOf, ORDERS } from '../workload.js'
import type { Fault, Strikes } from './fault.js'

const GROUPS = ['ledger', 'audit'] as const
const PATIENCE_MS = 60_000

const busOf = ({ site, namespace, isDurable }: Strikes) =>
  createBus({ service: 'saboteur', ...durabilityOf(isDurable), redis: site.address, namespace, logger: false })

/** Resolves when a message is a dead letter of every group. */
const isDead = (strikes: Strikes, bus: ReturnType<typeof busOf>, id: string) =>
  eventually(
    watched(strikes),
    `${id} to be a dead letter`,
    async () => {
      for (const group of GROUPS) {
        const { items } = await bus.topic(ORDERS).group(group).deadLetters({ limit: 1000 })
        if (!items.some((letter) => letter.id === id)) return undefined
      }
      return true
    },
    PATIENCE_MS,
  )

/** Each process that runs it is gone. Others take its place until it is a dead letter. */
const poison: Fault = {
  name: 'poison',
  isLong: true,
  async strike(strikes) {
    const { fleet, begin, random, published } = strikes
    const end = begin({ reruns: true })
    await using bus = busOf(strikes)
    const body: Body = { name: `poison-${random.whole(2 ** 31)}`, plan: 'poison' }
    published(body.name, ORDERS)
    const { id } = await bus.publish(ORDERS, body as never)
    let over = false
    const dead = isDead(strikes, bus, id).finally(() => {
      over = true
    })
    const wanted = fleet.of('consumer').length
    const replace = async () => {
      while (!over) {
        const running = fleet.of('consumer')
        // One may be ready for just long enough to run it, or not even that.
        if (running.length < wanted) await fleet.start('consumer').catch(() => {})
        else await Promise.race([...running.map(({ exited }) => exited), dead])
      }
    }
    await deadline(Promise.all([dead, replace()]), PATIENCE_MS * 2, () => 'the poison to be found out')
    end()
  },
}

/** Bytes that are no envelope, where a message was. They end as a dead letter, and those beside them run. */
const malformed: Fault = {
  name: 'malformed',
  async strike(strikes) {
    const { redis, namespace, begin, random, published } = strikes
    const end = begin({ reruns: false })
    await using bus = busOf(strikes)
    const { id } = await bus.publish(ORDERS, { plan: 'ok' }, { delay: 300, key: `malformed-${random.whole(100)}` })
    published(id, ORDERS)
    const key = `${namespace}:{${ORDERS}}:batches`
    const batch = (await redis.hkeys(key)).find(
      (name) => id === name || id.startsWith(`${name}-`) || id.startsWith(`${name}.`),
    )
    const value = batch === undefined ? null : await redis.hgetBuffer(key, batch)
    if (batch === undefined || value === null) throw new Error(`${id} is not among the batches of ${ORDERS}`)
    // All but the count: that is what the data says of itself elsewhere.
    for (let at = 4; at < value.length; at++) value[at] = random.whole(256)
    await redis.hset(key, batch, value)
    await isDead(strikes, bus, id)
    end()
  },
}

export const ofMessages: readonly Fault[] = [poison, malformed]
