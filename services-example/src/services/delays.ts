/** Keeps each airport's delays and says when a flight leaves very late, in the same settle that ends the flight's message. */
import type { Handler } from '@busway/bus'
import { AirportStatistics } from '../flights/airport-statistics.js'
import { isVeryLate } from '../flights/very-late.js'
import { isMain } from '../is-main.js'
import { type AppBus, connect, consumeUntilStopped, LEASE } from '../service.js'

export const onFlight =
  (statistics: AirportStatistics): Handler<AppBus, 'flights.departed'> =>
  async ({ body }, ctx) => {
    const { flight, delay, origin: airport } = body
    const meanDelay = statistics.add(airport, delay)
    if (!isVeryLate(body)) return
    // Staged: it is published if and only if this message settles, so a crash makes no alert twice and loses none.
    // Where alerts cannot keep up, the worst go first.
    const options = { key: airport, priority: Math.floor(delay / 60) }
    await ctx.publish('airports.delayed', { airport, flight, delay, meanDelay }, options)
  }

if (isMain(import.meta))
  consumeUntilStopped('delays', connect, (bus) => [
    bus.consume('flights.departed', onFlight(new AirportStatistics()), { concurrency: 50, lease: LEASE }),
  ])
