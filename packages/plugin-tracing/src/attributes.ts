/** The names of attributes, and what spans say of failures. docs: OpenTelemetry's semantic conventions for messaging; what they lack begins with `busway.`. */
import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api'

export const attribute = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  bodySize: 'messaging.message.body.size',
  batchCount: 'messaging.batch.message_count',
  group: 'messaging.consumer.group.name',
  errorType: 'error.type',
  /** Which attempt of the group this is, from 1. */
  attempt: 'busway.message.attempt',
  /** It may have run before. */
  redelivered: 'busway.message.redelivered',
  /** Published by a handler: it exists once the handler's message is settled. */
  staged: 'busway.staged',
  /** Not accepted, since it was there already. */
  duplicate: 'busway.duplicate',
  /** What became of it: done, retry, dead, released. */
  outcome: 'busway.outcome',
} as const

/** What every span says. They are there when it starts, so that a sampler can decide by them. */
export const baseAttributes = (topic: string, operation: 'create' | 'send' | 'process' | 'settle'): Attributes => ({
  [attribute.system]: 'redis',
  [attribute.operationName]: operation,
  [attribute.operationType]: operation,
  [attribute.destination]: topic,
})

/** Few values: the code of an error that has one, else its class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : error.name
}

/** The span is about something that failed. */
export function fail(span: Span, error: unknown, withException: boolean): void {
  if (!span.isRecording()) return
  const type = errorType(error)
  span.setAttribute(attribute.errorType, type)
  span.setStatus(
    withException && error instanceof Error
      ? { code: SpanStatusCode.ERROR, message: error.message }
      : { code: SpanStatusCode.ERROR },
  )
  if (withException) span.recordException(error instanceof Error ? error : String(error))
}
