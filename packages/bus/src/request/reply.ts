/** What a requester is told: a report of how one group ended its message, see docs/wire-format.md. */
import type { Report } from '../api/index.js'
import { type HandlerError, RequestError } from '../errors/index.js'

export interface Reply extends Report {
  readonly request: string
  /** No other group will report on it. */
  readonly last: boolean
}

/** `undefined` if it is none: anybody can publish to a channel. */
export function parseReply(text: string): Reply | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { request, outcome, last } = value as Record<string, unknown>
    return typeof request === 'string' && typeof outcome === 'string' && typeof last === 'boolean'
      ? (value as Reply)
      : undefined
  } catch {
    return undefined
  }
}

/** Why this group did not answer; `undefined` if it had nothing to say. */
export function failureOf(topic: string, { outcome, error, group }: Reply): RequestError | undefined {
  if (error !== undefined) {
    const { name, message, code } = (typeof error === 'object' && error !== null ? error : {}) as Partial<HandlerError>
    const thrown: HandlerError = {
      name: typeof name === 'string' ? name : 'Error',
      message: typeof message === 'string' ? message : '',
      ...(typeof code === 'string' ? { code } : {}),
    }
    return new RequestError(thrown.message, outcome, thrown)
  }
  if (outcome === 'done') return undefined
  const by = group === undefined ? '' : ` by the group ${group}`
  return new RequestError(`The request to ${topic} was not answered${by}: its message was ${outcome}.`, outcome)
}
