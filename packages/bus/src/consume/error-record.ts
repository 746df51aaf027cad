/** Errors as they are stored with a failed message: JSON, bounded, without what only this process can use. */

const MESSAGE_LIMIT = 1_000
const STACK_LIMIT = 4_000
const WORD_LIMIT = 100
const CAUSES = 5

export interface ErrorRecord {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
}

/** Handlers may throw anything. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new Error(typeof thrown === 'string' ? thrown : `The handler threw ${describe(thrown)}`, { cause: thrown })
}

function describe(thrown: unknown): string {
  if (thrown === null) return 'null'
  if (typeof thrown === 'object') return 'an object that is no Error'
  if (typeof thrown === 'function' || typeof thrown === 'symbol') return `a ${typeof thrown}`
  return String(thrown)
}

export const encodeError = (error: Error): string => JSON.stringify(recordOf(error))

/** For a log line: what is recorded and no more, since errors may carry requests and payloads along. */
export function loggable(error: Error): Error {
  const { name, message, stack, code } = recordOf(error)
  const clean = Object.assign(new Error(message), code === undefined ? {} : { code })
  Object.defineProperty(clean, 'name', { value: name })
  Object.defineProperty(clean, 'stack', { value: stack ?? `${name}: ${message}` })
  return clean
}

function recordOf(error: Error): ErrorRecord {
  const code = (error as { code?: unknown }).code
  const stack = stackWithCauses(error)
  return {
    name: cut(error.name, WORD_LIMIT) ?? 'Error',
    message: cut(error.message, MESSAGE_LIMIT) ?? '',
    ...(stack === undefined ? {} : { stack: cut(stack, STACK_LIMIT) as string }),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), WORD_LIMIT) as string } : {}),
  }
}

function stackWithCauses(error: Error): string | undefined {
  if (typeof error.stack !== 'string') return undefined
  let stack = error.stack
  let { cause } = error
  for (let depth = 0; depth < CAUSES && cause instanceof Error; depth++) {
    stack += `\ncaused by: ${cause.stack ?? cause.message}`
    cause = cause.cause
  }
  return stack
}

/** What a dead letter shows; a record that another client wrote differently is still shown. */
export function decodeError(text: string): ErrorRecord {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) {
      const { name, message, stack, code } = value as Record<string, unknown>
      return {
        name: typeof name === 'string' ? name : 'Error',
        message: typeof message === 'string' ? message : '',
        ...(typeof stack === 'string' ? { stack } : {}),
        ...(typeof code === 'string' ? { code } : {}),
      }
    }
  } catch {
    // Shown as it is.
  }
  return { name: 'Error', message: text }
}

const cut = (text: unknown, limit: number): string | undefined =>
  typeof text === 'string' ? (text.length > limit ? `${text.slice(0, limit)}…` : text) : undefined
