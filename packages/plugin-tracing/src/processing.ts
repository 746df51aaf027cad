/** Spans around handlers. */
import type { BatchMiddleware, Delivery, HandleMiddleware } from '@busway/bus'
import { type Attributes, type Context, context, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api'
import { attribute, baseAttributes, fail } from './attributes.js'
import { contextOf, creationOf, linksTo } from './creation.js'
import type { TracingOptions } from './options.js'

/** In which context a delivery was handled, for what is told of it afterwards. */
export type Processed = WeakMap<Delivery, Context>

/** One `process` span for each attempt, active in the handler. Those of batch handlers have theirs around the batch. */
export function processing(tracer: Tracer, processed: Processed, options: Required<TracingOptions>): HandleMiddleware {
  return (delivery, next) => {
    if (delivery.inBatch) return next()
    const { headers } = delivery.message
    const parent = contextOf(headers, options.relation === 'parent')
    const span = tracer.startSpan(
      `process ${delivery.message.topic}`,
      { kind: SpanKind.CONSUMER, attributes: attributesOf(delivery, options), links: linksTo(creationOf(headers)) },
      parent,
    )
    const inside = trace.setSpan(parent, span)
    processed.set(delivery, inside)
    return ended(span, context.with(inside, next), options)
  }
}

/** One `process` span around a batch handler, linked to the creation of each of its messages. */
export function batchProcessing(
  tracer: Tracer,
  processed: Processed,
  options: Required<TracingOptions>,
): BatchMiddleware {
  return (deliveries, next) => {
    const [first] = deliveries
    if (first === undefined) return next()
    const { topic } = first.message
    const span = tracer.startSpan(`process ${topic}`, {
      kind: SpanKind.CONSUMER,
      attributes: {
        ...baseAttributes(topic, 'process'),
        [attribute.group]: first.group,
        [attribute.batchCount]: deliveries.length,
      },
      links: deliveries.flatMap(({ message }) => {
        const [link] = linksTo(creationOf(message.headers))
        return link === undefined ? [] : { ...link, attributes: messageAttributes(message) }
      }),
    })
    const inside = trace.setSpan(context.active(), span)
    for (const delivery of deliveries) processed.set(delivery, inside)
    return ended(span, context.with(inside, next), options)
  }
}

/** What settle spans say too. */
export function attributesOf(delivery: Delivery, { bodySize }: TracingOptions): Attributes {
  const attributes = {
    ...baseAttributes(delivery.message.topic, 'process'),
    ...messageAttributes(delivery.message),
    [attribute.group]: delivery.group,
    [attribute.redelivered]: delivery.message.redelivered,
  }
  return bodySize ? { ...attributes, [attribute.bodySize]: delivery.bodyBytes } : attributes
}

export const messageAttributes = ({ id, attempt }: Delivery['message']): Attributes => ({
  [attribute.messageId]: id,
  [attribute.attempt]: attempt,
})

async function ended(span: Span, run: Promise<unknown>, { exceptions }: TracingOptions): Promise<unknown> {
  try {
    return await run
  } catch (error) {
    fail(span, error, exceptions ?? true)
    throw error
  } finally {
    span.end()
  }
}
