/** The flights of `vega-datasets`: delays of flights in the United States, as their Bureau of Transportation Statistics collects them. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Flight } from '../topics.js'
import { routesByDistance } from './routes.js'

const require = createRequire(import.meta.url)

export type Row = Omit<Flight, 'flight'>
interface RowWithoutRoute {
  delay: number
  distance: number
  /** Hour of the day with a fraction. */
  time: number
}

/** How many flights there are at most. */
export const MOST_FLIGHTS = 200_000
const WHOLE_FILES = [2_000, 5_000, 10_000, 20_000]

/** The first `count` flights of the smallest file that has so many. */
export async function loadFlights(count: number): Promise<Flight[]> {
  const file = WHOLE_FILES.find((size) => size >= count)
  const rows = file ? await readRows<Row>(file) : await completeRows()
  return rows.slice(0, count).map((row, flight) => ({ flight, ...row }))
}

/**
 * The file of 200,000 knows delay, distance and time of day, but neither route nor day. Both are taken from a flight
 * of the same distance in the file of 20,000.
 */
async function completeRows(): Promise<Row[]> {
  const nextRoute = routesByDistance(await readRows<Row>(20_000))
  const rows = await readRows<RowWithoutRoute>(MOST_FLIGHTS)
  return rows.map(({ delay, distance, time }) => {
    const { date, origin, destination } = nextRoute(distance)
    return { date: `${date.slice(0, 10)} ${clock(time)}`, delay, distance, origin, destination }
  })
}

async function readRows<T>(size: number): Promise<T[]> {
  const file = new URL(`../data/flights-${size / 1000}k.json`, pathToFileURL(require.resolve('vega-datasets')))
  return JSON.parse(await readFile(file, 'utf8')) as T[]
}

function clock(hours: number): string {
  const minutes = Math.round(hours * 60)
  return [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':')
}
