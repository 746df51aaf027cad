/** Errors across the boundary: those that mean something to the bus are again what they were. */
import { BuswayError, type BuswayErrorCode, RetryAfterError, UnrecoverableError } from '@busway/bus'

export interface WrittenError {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
  readonly retryAfter?: { readonly delayMs: number; readonly countAttempt: boolean }
  readonly unrecoverable?: string
}

export function writeError(thrown: unknown): WrittenError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: textOf(thrown) }
  const { name, message, stack } = thrown
  // By their codes: the module may have its own copy of the package, and with it of the classes.
  const { code, delayMs, countAttempt, reason } = thrown as Partial<RetryAfterError & UnrecoverableError>
  return {
    name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(typeof code === 'string' ? { code } : {}),
    ...(code === 'RETRY_AFTER' && delayMs !== undefined
      ? { retryAfter: { delayMs, countAttempt: countAttempt ?? true } }
      : {}),
    ...(code === 'UNRECOVERABLE' ? { unrecoverable: reason ?? message } : {}),
  }
}

export function readError({ name, message, stack, code, retryAfter, unrecoverable }: WrittenError): Error {
  if (retryAfter !== undefined) return new RetryAfterError(retryAfter.delayMs, retryAfter)
  if (unrecoverable !== undefined) return new UnrecoverableError(unrecoverable)
  const error = name === 'BuswayError' ? new BuswayError(code as BuswayErrorCode, message) : new Error(message)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true })
  if (stack !== undefined) error.stack = stack
  if (code !== undefined && !('code' in error)) Object.assign(error, { code })
  return error
}

function textOf(thrown: unknown): string {
  try {
    return typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  } catch {
    return String(thrown)
  }
}
