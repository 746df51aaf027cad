/** The errors of the bus: one class, stable codes, and what handlers throw. */
export { BuswayError, type BuswayErrorOptions } from './busway-error.js'
export { type BuswayErrorCode, codes } from './codes.js'
export { type HandlerError, RequestError } from './request-error.js'
export { BatchError, RetryAfterError, UnrecoverableError } from './thrown-by-handlers.js'
