/** Finding the application's tracer. */
import { type Tracer, type TracerProvider, trace } from '@opentelemetry/api'

const NAME = '@busway/plugin-tracing'

/** What the API's own provider has: it stands for one that is registered later, or never. */
interface Standing extends TracerProvider {
  getDelegateTracer?(name: string): Tracer | undefined
}

/** `undefined` as long as no SDK is registered. */
export function registeredTracer(): Tracer | undefined {
  const provider: Standing = trace.getTracerProvider()
  return provider.getDelegateTracer === undefined ? provider.getTracer(NAME) : provider.getDelegateTracer(NAME)
}
