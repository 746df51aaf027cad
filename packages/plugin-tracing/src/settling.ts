/** Spans and events about what became of messages. */
import type { Events } from '@busway/bus'
import { type Attributes, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { attribute, baseAttributes, errorType } from './attributes.js'
import { contextOf, creationOf, linksTo } from './creation.js'
import { messageAttributes, type Processed } from './processing.js'

/** A `settle` span for what Redis confirmed, inside the `process` span of that attempt; a retry or a dead letter is an event of it. */
export function settling(tracer: Tracer, processed: Processed): (event: Events['settled']) => void {
  return ({ delivery, outcome, settleStartMs, settleEndMs, refused, unanswered }) => {
    const { message, group } = delivery
    // Without one it never came to its handler: it could not be decoded, say.
    const parent = processed.get(delivery) ?? contextOf(message.headers, true)
    const span = tracer.startSpan(
      `settle ${message.topic}`,
      {
        kind: SpanKind.CLIENT,
        startTime: settleStartMs,
        attributes: {
          ...baseAttributes(message.topic, 'settle'),
          ...messageAttributes(message),
          [attribute.group]: group,
          [attribute.outcome]: outcome.kind,
        },
        links: linksTo(creationOf(message.headers)),
      },
      parent,
    )
    if (span.isRecording()) {
      tell(span, outcome, settleEndMs)
      if (refused !== undefined) {
        span.setAttribute(attribute.errorType, refused)
        const message = unanswered
          ? 'The lease was lost before Redis answered: the message is settled, or it runs elsewhere'
          : 'The lease was lost: the message runs elsewhere'
        span.setStatus({ code: SpanStatusCode.ERROR, message })
      }
    }
    span.end(settleEndMs)
  }
}

function tell(span: Span, outcome: Events['settled']['outcome'], atMs: number): void {
  const event = (name: string, attributes: Attributes) => span.addEvent(name, attributes, atMs)
  if (outcome.kind === 'retry')
    event('busway.retry', {
      [attribute.errorType]: errorType(outcome.error),
      'busway.retry.delay_ms': outcome.delayMs,
      'busway.retry.counted': outcome.counted,
    })
  if (outcome.kind === 'dead')
    event('busway.dead_letter', {
      [attribute.errorType]: errorType(outcome.error),
      'busway.dead_letter.reason': outcome.reason,
    })
}

/** An event of the span in which dead letters were redriven, if there is one. */
export function redriven({ topic, group, count }: Events['redriven']): void {
  trace.getActiveSpan()?.addEvent('busway.redrive', {
    [attribute.destination]: topic,
    [attribute.group]: group,
    'busway.redrive.count': count,
  })
}
