/** Loaded before the program of a process whose clock is an hour behind. */
import { HOUR_MS, skewClock } from './skew-clock.js'

skewClock(-HOUR_MS)
