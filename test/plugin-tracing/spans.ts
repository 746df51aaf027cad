/** An OpenTelemetry SDK, started as a user would, whose spans a test can wait for. */
import { context, propagation, trace } from '@opentelemetry/api'
import { NodeSDK, type tracing } from '@opentelemetry/sdk-node'
import { Received } from '../support/received.js'

export type Span = tracing.ReadableSpan

export interface Spans {
  /** Those that have ended, in that order. */
  readonly ended: Received<Span>
  /** What was known of each when it started, for samplers. */
  readonly started: Span['attributes'][]
  /** The first that ended with this name. */
  named(name: string, fits?: (span: Span) => boolean): Promise<Span>
  /** All that have ended with this name. */
  all(name: string): Span[]
}

/** Registers the hooks of a `describe`: global to the process, so they are taken down after it. */
export function spans(): Spans {
  let ended = new Received<Span>()
  let started: Span['attributes'][] = []
  let sdk: NodeSDK
  before(() => {
    sdk = new NodeSDK({
      spanProcessors: [
        {
          onStart: (span) => void started.push({ ...span.attributes }),
          onEnd: (span) => ended.add(span),
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      ],
      metricReaders: [],
      logRecordProcessors: [],
      instrumentations: [],
      autoDetectResources: false,
    })
    sdk.start()
  })
  after(async () => {
    await sdk.shutdown()
    trace.disable()
    context.disable()
    propagation.disable()
  })
  beforeEach(() => {
    ended = new Received()
    started = []
  })
  return {
    get ended() {
      return ended
    },
    get started() {
      return started
    },
    named: (name, fits = () => true) => ended.first((span) => span.name === name && fits(span), `the span ${name}`),
    all: (name) => ended.items.filter((span) => span.name === name),
  }
}

export const traceId = (span: Span): string => span.spanContext().traceId
export const spanId = (span: Span): string => span.spanContext().spanId
/** The spans that it is linked to. */
export const linked = ({ links }: Span): string[] => links.map((link) => link.context.spanId)
export const eventNames = ({ events }: Span): string[] => events.map(({ name }) => name)
