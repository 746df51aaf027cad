import { defineTopics, type } from '@busway/bus'

/** A flight as the data set has it, with its position there as what it is called by. */
export interface Flight {
  flight: number
  /** `2001/01/01 06:55`, local time of departure. */
  date: string
  /** Minutes late, negative when early. */
  delay: number
  /** Miles. */
  distance: number
  origin: string
  destination: string
}

/** An airport that just saw a flight leave very late. */
export interface AirportDelayed {
  airport: string
  /** The flight that gave cause for it. */
  flight: number
  delay: number
  /** Minutes, over the flights from this airport that the process which says so has seen. */
  meanDelay: number
}

/** A notice that has been up for long enough. */
export interface NoticeEnded {
  airport: string
  flight: number
}

/** An airport as people know it. */
export interface Airport {
  name: string
  city: string
  state: string
}

export const topics = defineTopics({
  'flights.departed': { body: type<Flight>(), groups: ['ledger', 'delays'] },
  'airports.delayed': { body: type<AirportDelayed>(), groups: ['alerts'] },
  'airports.described': { body: type<{ airport: string }>(), reply: type<Airport>() },
  'notices.ended': { body: type<NoticeEnded>(), groups: ['notices'] },
})
