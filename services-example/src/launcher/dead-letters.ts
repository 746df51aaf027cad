import type { AirportDelayed } from '../topics.js'
import type { LauncherBus } from './watch.js'

/** The flights of all dead letters of alerts, page by page. */
export async function deadFlights(bus: LauncherBus): Promise<number[]> {
  const alerts = bus.topic('airports.delayed').group('alerts')
  const flights: number[] = []
  let cursor: string | undefined
  do {
    const page = await alerts.deadLetters({ limit: 500, ...(cursor && { cursor }) })
    flights.push(...page.items.map(({ body }) => (body as AirportDelayed).flight))
    cursor = page.cursor
  } while (cursor)
  return flights
}
