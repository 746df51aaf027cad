/** OpenTelemetry tracing for Busway, by the semantic conventions for messaging. */
import type { Delivery, Plugin, Scope } from '@busway/bus'
import { isSpanContextValid, type SpanContext, TraceFlags, trace } from '@opentelemetry/api'
import { checkOptions, type TracingOptions } from './options.js'
import { batchProcessing, type Processed, processing } from './processing.js'
import { sending } from './sending.js'
import { redriven, settling } from './settling.js'
import { registeredTracer } from './tracer.js'

export { options, type TracingOptions } from './options.js'

/** The span in which a message is handled, for those who tell others of it. */
export interface MessageTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** Whether it is recorded. */
  readonly sampled: boolean
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    tracing: {
      /** `trace`: the span in which the message is handled; `undefined` without an SDK. */
      context: { readonly trace: MessageTrace | undefined }
    }
  }
}

/**
 * Spans for publishing, handling and settling, and the context of each message in its headers. Uses the globally registered OpenTelemetry SDK, and does
 * nothing without one; start it before. Throws `INVALID_OPTIONS`.
 *
 * @example
 * await using bus = createBus({ service: 'shop', plugins: [tracing()] })
 */
export function tracing(options: TracingOptions = {}): Plugin<'tracing'> {
  const settings = checkOptions(options)
  return {
    name: 'tracing',
    api: 1,
    setup(scope) {
      const tracer = registeredTracer()
      if (tracer === undefined) {
        // Declaring nothing leaves messages their short way; what comes of that is said where it would be missed.
        const warn = () => warnIfLate(scope)
        scope.ready(warn)
        scope.close(warn)
        return
      }
      const processed: Processed = new WeakMap()
      scope.publish('enrich', sending(tracer, settings))
      scope.consume('handle', processing(tracer, processed, settings))
      scope.consume('batch', batchProcessing(tracer, processed, settings))
      if (settings.settle) scope.observe('settled', settling(tracer, processed))
      scope.observe('redriven', redriven)
      scope.context('trace', (delivery: Delivery) => traceOf(spanContextOf(processed, delivery)))
      scope.logBindings(() => bindingsOf(trace.getActiveSpan()?.spanContext()))
    },
  }
}

export default tracing

function warnIfLate({ log }: Scope): void {
  if (registeredTracer() !== undefined)
    log.warn(
      "Nothing is traced: OpenTelemetry's SDK was registered after the tracing plugin. Start it before the bus is created, in a file that node --import loads",
    )
}

function spanContextOf(processed: Processed, delivery: Delivery): SpanContext | undefined {
  const inside = processed.get(delivery)
  return inside && trace.getSpanContext(inside)
}

const traceOf = (span: SpanContext | undefined): MessageTrace | undefined =>
  span && { traceId: span.traceId, spanId: span.spanId, sampled: (span.traceFlags & TraceFlags.SAMPLED) !== 0 }

/** By the names under which log collectors look for them. */
const bindingsOf = (span: SpanContext | undefined): Record<string, unknown> =>
  span === undefined || !isSpanContextValid(span)
    ? {}
    : { trace_id: span.traceId, span_id: span.spanId, trace_flags: `0${span.traceFlags.toString(16)}`.slice(-2) }
