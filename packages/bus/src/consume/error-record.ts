/** Errors as they are stored with a failed message: JSON, bounded, without what only this process can use. */

const MESSAGE_LIMIT = 1_000
const STACK_LIMIT = 4_000
const WORD_LIMIT = 100

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

export function encodeError(error: Error): string {
  const { name, message, stack } = error
  const code = (error as { code?: unknown }).code
  const record: ErrorRecord = {
    name: cut(name, WORD_LIMIT) ?? 'Error',
    message: cut(message, MESSAGE_LIMIT) ?? '',
    ...(typeof stack === 'string' ? { stack: cut(stack, STACK_LIMIT) } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), WORD_LIMIT) } : {}),
  }
  return JSON.stringify(record)
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
