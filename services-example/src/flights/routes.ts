import type { Row } from './vega-flights.js'

/** Gives, at each call, the next of the flights with that distance, or with the nearest there is. The same calls give the same flights. */
export function routesByDistance(flights: readonly Row[]): (distance: number) => Row {
  const routes = new Map<number, { flights: Row[]; next: number }>()
  for (const flight of flights) {
    const known = routes.get(flight.distance)
    if (known) known.flights.push(flight)
    else routes.set(flight.distance, { flights: [flight], next: 0 })
  }
  const distances = [...routes.keys()]
  const nearest = (distance: number) =>
    distances.reduce((best, other) => (Math.abs(other - distance) < Math.abs(best - distance) ? other : best))

  return (distance) => {
    const route = routes.get(distance) ?? routes.get(nearest(distance))
    const flight = route?.flights[route.next++ % route.flights.length]
    if (!flight) throw new Error('There are no flights to take a route from.')
    return flight
  }
}
