/** The context in which a message was made, as its headers carry it. */
import {
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from '@opentelemetry/api'

type Headers = Readonly<Record<string, string>>

/** Of whoever published the message; `undefined` if it was published untraced. */
export const creationOf = (headers: Headers): SpanContext | undefined =>
  trace.getSpanContext(propagation.extract(ROOT_CONTEXT, headers))

/** The context in which a message is handled: its baggage, and its creation as the parent if `asParent`. */
export function contextOf(headers: Headers, asParent: boolean): Context {
  const extracted = propagation.extract(context.active(), headers)
  return asParent ? extracted : trace.deleteSpan(extracted)
}

export const linksTo = (...creations: (SpanContext | undefined)[]): Link[] =>
  creations.flatMap((creation) => (creation === undefined ? [] : { context: creation }))
