/** Buses with the plugin, and what its endpoint says. */
import { type BusOptions, createBus, type Plugin } from '@busway/bus'
import { type MetricsOptions, metrics } from '@busway/plugin-metrics'
import type { World } from '../support/world.js'

/** Any free port, so that tests do not meet. */
export const anyPort: MetricsOptions = { prometheus: { port: 0, host: '127.0.0.1' } }

export function measured(
  world: World,
  options: MetricsOptions = anyPort,
  more: Partial<Omit<BusOptions, 'topics' | 'plugins'>> & { plugins?: Plugin<'metrics'>[] } = {},
) {
  const bus = createBus({
    service: 'test',
    redis: world.server.url,
    namespace: world.namespace,
    logger: world.log.logger,
    plugins: [metrics(options)],
    ...more,
  })
  bus.on('error', () => {})
  world.atEnd(() => bus.close({ timeout: 2000 }))
  return bus
}

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What the endpoint says now. */
export async function scrape(bus: { readonly metrics: { readonly url: string | undefined } }): Promise<Sample[]> {
  const response = await fetch(`${bus.metrics.url}`)
  const text = await response.text()
  return [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key, text]) => [key, text])),
    value: Number(value),
  }))
}

const short: Record<string, string> = {
  messaging_destination_name: 'topic',
  messaging_consumer_group_name: 'group',
  messaging_operation_name: 'operation',
  error_type: 'error',
  busway_dead_letter_reason: 'reason',
}

/** The values of one metric, by its labels in short: `topic=orders.paid group=ledger`. */
export function valuesOf(samples: readonly Sample[], name: string): Record<string, number> {
  const all = samples.filter((sample) => sample.name === name)
  return Object.fromEntries(
    all.map(({ labels, value }) => [
      Object.entries(short)
        .flatMap(([label, as]) => (labels[label] === undefined ? [] : `${as}=${labels[label]}`))
        .join(' '),
      value,
    ]),
  )
}
