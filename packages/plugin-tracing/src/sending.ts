/** Spans around publishing. */
import type { Outgoing, PublishBatch, PublishMiddleware, Receipt } from '@busway/bus'
import {
  type Attributes,
  context,
  propagation,
  type Span,
  type SpanContext,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { attribute, baseAttributes, fail } from './attributes.js'
import { creationOf, linksTo } from './creation.js'
import type { TracingOptions } from './options.js'

/** One `send` span for each call, and in the headers of each message the context of its creation: that span's, or in a batch a `create` span of its own. */
export function sending(tracer: Tracer, options: Required<TracingOptions>): PublishMiddleware {
  return (batch, next) => {
    const span = batch.messages.length === 1 ? startOne(tracer, batch) : startMany(tracer, batch)
    return sent(span, batch, next, options)
  }
}

async function sent(
  span: Span,
  batch: PublishBatch,
  next: () => Promise<Receipt[]>,
  options: Required<TracingOptions>,
): Promise<Receipt[]> {
  try {
    const receipts = await context.with(trace.setSpan(context.active(), span), next)
    if (span.isRecording()) tell(span, batch, receipts, options)
    return receipts
  } catch (error) {
    fail(span, error, options.exceptions)
    throw error
  } finally {
    span.end()
  }
}

function startOne(tracer: Tracer, batch: PublishBatch): Span {
  const message = batch.messages[0] as Outgoing
  // Passed on as it came: it was made elsewhere, and stays what its consumers belong to.
  const brought = creationOf(message.headers)
  const span = tracer.startSpan(`send ${batch.topic}`, {
    kind: brought === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
    attributes: { ...sendAttributes(batch), ...idOf(message) },
    links: linksTo(brought),
  })
  if (brought === undefined) propagation.inject(trace.setSpan(context.active(), span), message.headers)
  return span
}

function startMany(tracer: Tracer, batch: PublishBatch): Span {
  const creations = batch.messages.map((message) => creationOf(message.headers) ?? create(tracer, batch.topic, message))
  return tracer.startSpan(`send ${batch.topic}`, {
    kind: SpanKind.CLIENT,
    attributes: { ...sendAttributes(batch), [attribute.batchCount]: batch.messages.length },
    links: linksTo(...creations),
  })
}

function create(tracer: Tracer, topic: string, message: Outgoing): SpanContext {
  const span = tracer.startSpan(`create ${topic}`, {
    kind: SpanKind.PRODUCER,
    attributes: { ...baseAttributes(topic, 'create'), ...idOf(message) },
  })
  propagation.inject(trace.setSpan(context.active(), span), message.headers)
  span.end()
  return span.spanContext()
}

function sendAttributes({ topic, via }: PublishBatch): Attributes {
  const attributes = baseAttributes(topic, 'send')
  if (via === 'settle') attributes[attribute.staged] = true
  return attributes
}

const idOf = ({ options }: Outgoing): Attributes =>
  typeof options.id === 'string' ? { [attribute.messageId]: options.id } : {}

/** What is known only afterwards. */
function tell(
  span: Span,
  { messages }: PublishBatch,
  receipts: readonly Receipt[],
  { bodySize }: TracingOptions,
): void {
  const [message, ...others] = messages
  const [receipt] = receipts
  if (message === undefined || receipt === undefined || others.length > 0) return
  // Of a staged publish the id is known once it is settled.
  if (receipt.id !== '') span.setAttribute(attribute.messageId, receipt.id)
  if (receipt.status === 'duplicate') span.setAttribute(attribute.duplicate, true)
  if (bodySize && message.bodyBytes !== undefined) span.setAttribute(attribute.bodySize, message.bodyBytes)
}
