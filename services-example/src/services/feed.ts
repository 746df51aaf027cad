/** Publishes the flights as they depart: the first quarter of 2001, in a few seconds. */
import { paced } from '../flights/paced.js'
import { loadFlights } from '../flights/vega-flights.js'
import { isMain } from '../is-main.js'
import { tell, toldToStop } from '../launcher/link.js'
import { type AppBus, connect, openJournal } from '../service.js'
import { settings } from '../settings.js'
import type { Flight } from '../topics.js'

export async function publishAll(bus: AppBus, departures: AsyncIterable<readonly Flight[]>): Promise<void> {
  let count = 0
  for await (const departed of departures) {
    await bus.publishBatch(
      'flights.departed',
      departed.map((flight) => ({ body: flight, key: flight.origin })),
    )
    count += departed.length
    tell({ kind: 'published', count })
  }
}

async function main(): Promise<void> {
  const stop = new AbortController()
  toldToStop().then(() => stop.abort())
  const flights = await loadFlights(settings.flights())
  await using bus = await connect('feed', openJournal())
  await publishAll(bus, paced(flights, settings.feedMs(), stop.signal))
}

if (isMain(import.meta)) main()
