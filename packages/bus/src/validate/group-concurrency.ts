/** The number of messages that a group may have in flight, as an option and as it is set live. */
import { checkInteger } from './options.js'

const MOST = 1_000_000

/** Throws INVALID_OPTIONS. */
export const checkGroupConcurrency = (value: unknown): number => checkInteger('groupConcurrency', value, 1, MOST)
