import { publishInFlight } from '../load.js'
import { COSTS } from '../metrics.js'
import { queueNames, type Scenario } from '../scenario.js'
import { IN_FLIGHT } from './publish.js'

export const fanOutOne = fanOut(1)
export const fanOutThree = fanOut(3)
export const fanOutTen = fanOut(10)

/** What a publisher pays for those that want its messages. */
function fanOut(groups: number): Scenario {
  const name = `fan-out-${groups}`
  return {
    name,
    title: `publish one by one to ${groups} group${groups === 1 ? '' : 's'}, ${IN_FLIGHT} in flight (BullMQ: to so many queues)`,
    needs: ['queue', 'groups'],
    metrics: ['perSecond', ...COSTS],
    async open(peer, { redisUrl }) {
      const nextQueue = queueNames(name)
      return {
        async pass(messages, timed) {
          const producer = await peer.openProducer({ redisUrl, queue: nextQueue(), groups })
          await timed(async () => {
            await publishInFlight(producer, messages, IN_FLIGHT)
            return {}
          })
          await producer.close()
        },
        async close() {},
      }
    },
  }
}
