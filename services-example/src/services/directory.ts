/** Answers what an airport is called. */
import { type Handler, UnrecoverableError } from '@busway/bus'
import { loadAirports } from '../directory/airports.js'
import { isMain } from '../is-main.js'
import { type AppBus, connect, consumeUntilStopped, LEASE } from '../service.js'
import type { Airport } from '../topics.js'

export const onDescribed =
  (airports: ReadonlyMap<string, Airport>): Handler<AppBus, 'airports.described'> =>
  ({ body }) => {
    const airport = airports.get(body.airport)
    if (airport === undefined) throw new UnrecoverableError(`No airport is called ${body.airport}`)
    return airport
  }

if (isMain(import.meta)) {
  const airports = await loadAirports()
  consumeUntilStopped('directory', connect, (bus) => [
    bus.consume('airports.described', onDescribed(airports), { concurrency: 50, lease: LEASE }),
  ])
}
