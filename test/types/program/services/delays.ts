import type { Handler } from '@busway/bus'
import { type AppBus, start } from './bus.js'

const means = new Map<string, { n: number; sum: number }>()

export const onFlight: Handler<AppBus, 'flights.departed'> = async ({ body }, ctx) => {
  const mean = means.get(body.origin) ?? { n: 0, sum: 0 }
  mean.n++
  mean.sum += body.delay
  means.set(body.origin, mean)
  if (mean.sum / mean.n > 15) {
    await ctx.publish('airports.delayed', { airport: body.origin, meanDelay: mean.sum / mean.n })
  }
}

export async function main() {
  await using bus = await start('delays')
  bus.consume('flights.departed', onFlight, { concurrency: 50 })
  await new Promise((resolve) => process.once('SIGTERM', resolve))
}
