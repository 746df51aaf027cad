/** Held by the compiler: what `metrics` adds is there exactly where it is registered. */
import { createBus, type PluginModule } from '@busway/bus'
import * as module from '@busway/plugin-metrics'
import { type BusMetrics, type MetricsOptions, metrics } from '@busway/plugin-metrics'
import { same } from '../types/program/equal.js'

export const read = () => {
  const bus = createBus({
    service: 'shop',
    plugins: [metrics({ prometheus: { port: 9464 }, gauges: ['orders.paid'] })],
  })
  same<typeof bus.metrics, BusMetrics>()
  same<typeof bus.metrics.url, string | undefined>()
  // @ts-expect-error it is told, not set
  bus.metrics.url = ''
  // @ts-expect-error the plugin is not registered
  createBus({ service: 'shop' }).metrics
}

export const deployable: PluginModule<'metrics', MetricsOptions> = module
// @ts-expect-error a number
metrics.bind(undefined, { prometheus: { port: '9464' } })
// @ts-expect-error no such option
metrics.bind(undefined, { port: 1 })
