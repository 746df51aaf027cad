/** OpenTelemetry metrics for Busway, by the semantic conventions for messaging where there are any. */
import type { Plugin, Scope } from '@busway/bus'
import { createNoopMeter, type Meter, metrics as telemetry } from '@opentelemetry/api'
import { Endpoint } from './endpoint.js'
import { observeQueues } from './gauges.js'
import { createInstruments } from './instruments.js'
import { Labels } from './labels.js'
import { checkOptions, type MetricsOptions } from './options.js'
import { record } from './recording.js'
import type { Makes } from './tallies.js'

export { type MetricsOptions, options, type PrometheusOptions } from './options.js'

/** `bus.metrics` */
export interface BusMetrics {
  /** Where Prometheus finds them, from `ready` until `close`; `undefined` without `prometheus`. */
  readonly url: string | undefined
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    metrics: { bus: { readonly metrics: BusMetrics } }
  }
}

/**
 * Counts, durations, and the state of queues. With `prometheus` it serves them by itself; without, they go to the globally registered OpenTelemetry SDK,
 * and nowhere if there is none: start it before. Throws `INVALID_OPTIONS`; the bus' `ready` rejects with `CONFIG_INVALID` if the port is taken.
 *
 * @example
 * await using bus = createBus({ service: 'shop', plugins: [metrics({ prometheus: { port: 9464 } })] })
 */
export function metrics(options: MetricsOptions = {}): Plugin<'metrics'> {
  const settings = checkOptions(options)
  return {
    name: 'metrics',
    api: 1,
    setup(scope) {
      const endpoint = settings.prometheus && new Endpoint(scope.service, settings.prometheus)
      const meter = endpoint?.meter ?? registeredMeter()
      // Observing nothing leaves messages their short way.
      if (meter === undefined) warnIfLate(scope)
      else measure(scope, meter, endpoint?.tallies ?? meter, settings)
      if (endpoint !== undefined) serve(scope, endpoint)
      return {
        metrics: {
          get url() {
            return endpoint?.url
          },
        },
      }
    },
  }
}

export default metrics

function measure(
  scope: Scope,
  meter: Meter,
  make: Makes,
  { maxTopics, gauges }: ReturnType<typeof checkOptions>,
): void {
  const labels = new Labels(maxTopics, (topic) =>
    scope.log.warn(
      { topic, maxTopics },
      `More than ${maxTopics} topics: ${topic} and others are counted as 'other'. Raise maxTopics if each is to be told apart`,
    ),
  )
  for (const topic of Object.keys(scope.topics)) labels.tellsApart(topic)
  scope.observe('subscribed', ({ topic }) => void labels.of(topic))
  record(scope, createInstruments(make), labels)
  observeQueues(scope, meter, labels, gauges)
}

function serve(scope: Scope, endpoint: Endpoint): void {
  scope.ready(async () => {
    await endpoint.listen()
    scope.log.info(`Metrics for Prometheus are served at ${endpoint.url}`)
  })
  scope.close(() => endpoint.close())
}

/** `undefined` as long as no SDK is registered: what is made then stays without effect. */
function registeredMeter(): Meter | undefined {
  const meter = telemetry.getMeter('@busway/plugin-metrics')
  return meter === createNoopMeter() ? undefined : meter
}

function warnIfLate(scope: Scope): void {
  const warn = (): void => {
    if (registeredMeter() !== undefined)
      scope.log.warn(
        "Nothing is measured: OpenTelemetry's SDK was registered after the metrics plugin. Start it before the bus is created, in a file that node --import loads",
      )
  }
  scope.ready(warn)
  scope.close(warn)
}
