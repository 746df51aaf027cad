import type { AppBus } from '../service.js'
import type { Airport } from '../topics.js'

/** What an airport is called. Rejects if nobody knows. */
export type Describe = (airport: string) => Promise<Airport>

/** Asks the directory over the bus, once for each airport. */
export function describer(bus: Pick<AppBus, 'request'>): Describe {
  const asked = new Map<string, Promise<Airport>>()
  return (airport) => {
    const known = asked.get(airport)
    if (known !== undefined) return known
    const answer = bus.request('airports.described', { airport }, { timeout: '1s' })
    asked.set(airport, answer)
    answer.catch(() => asked.delete(airport))
    return answer
  }
}
