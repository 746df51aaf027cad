/** What a checker is. */
import type { Reading } from '../runs.js'

/** Everything in the history that breaks one promise, as sentences. Empty: it was kept. */
export type Checker = (reading: Reading) => string[]
