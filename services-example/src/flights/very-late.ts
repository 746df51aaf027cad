import type { Flight } from '../topics.js'

/** Minutes from which a delay is worth an alert. */
const VERY_LATE_FROM = 60

/** Whether a flight's delay is announced. It depends on the flight alone, so the books know beforehand which alerts there must be. */
export const isVeryLate = (flight: Pick<Flight, 'delay'>): boolean => flight.delay >= VERY_LATE_FROM
