/** Computes an airport's part of a report, in a thread of its own: a sandboxed handler. */
import type { SandboxModule } from '@busway/plugin-sandbox'
import { loadFlights } from '../flights/vega-flights.js'
import { settings } from '../settings.js'
import type { Flight, ReportPart } from '../topics.js'
import { airportReport } from './airport-report.js'

let flights: readonly Flight[] = []

const part: SandboxModule = {
  async open() {
    flights = await loadFlights(settings.flights())
  },
  run: ({ body }) => airportReport((body as ReportPart).airport, flights),
}
export default part
