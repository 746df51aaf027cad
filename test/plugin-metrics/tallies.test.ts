/** Counted by the attributes' object, and served as OpenTelemetry's own instruments would be. */
import type { Attributes, Meter } from '@opentelemetry/api'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider, type MetricData, MetricReader } from '@opentelemetry/sdk-metrics'
import { expect } from 'chai'
import fc from 'fast-check'
import { type Makes, Tallies } from '../../packages/plugin-metrics/src/tallies.js'

const SCOPE = 'test'
const BOUNDS = [0.005, 0.1, 1, 10]
const PLACES: readonly Attributes[] = [
  { topic: 'orders.paid' },
  { topic: 'orders.paid', group: 'ledger' },
  { topic: 'a' },
]

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const instruments = (make: Makes | Meter) => ({
  sent: make.createCounter('sent', { unit: '{message}', description: 'Messages' }),
  took: make.createHistogram('took', { unit: 's', advice: { explicitBucketBoundaries: BOUNDS } }),
})

const measurement = fc.record({
  place: fc.nat(PLACES.length - 1),
  by: fc.constantFrom('sent' as const, 'took' as const),
  // Bounds are met exactly, too.
  value: fc.oneof(fc.constantFrom(0, ...BOUNDS), fc.nat(100), fc.double({ min: 0, max: 20, noNaN: true })),
})

describe('the tallies of the endpoint', () => {
  it('are to Prometheus what the same measurements with instruments of the SDK are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(measurement, { maxLength: 40 }), async (measurements) => {
        const reader = new Reader()
        const provider = new MeterProvider({ readers: [reader] })
        const tallies = new Tallies(SCOPE)
        for (const { sent, took } of [instruments(provider.getMeter(SCOPE)), instruments(tallies)])
          for (const { place, by, value } of measurements) {
            if (by === 'sent') sent.add(value, PLACES[place])
            else took.record(value, PLACES[place])
          }
        const { resourceMetrics } = await reader.collect()
        const text = (scopeMetrics: typeof resourceMetrics.scopeMetrics) =>
          new PrometheusSerializer().serialize({ resource: resourceMetrics.resource, scopeMetrics })
        const counted = (await tallies.collect()).resourceMetrics.scopeMetrics
        expect(text(counted)).to.equal(text(resourceMetrics.scopeMetrics))
        await provider.shutdown()
      }),
      { numRuns: 100 },
    )
  })

  it('tell what was counted until then, and go on', async () => {
    const tallies = new Tallies(SCOPE)
    const { sent, took } = instruments(tallies)
    const [place] = PLACES
    const read = async (): Promise<MetricData[]> =>
      (await tallies.collect()).resourceMetrics.scopeMetrics[0]?.metrics ?? []
    expect(await read()).to.deep.equal([])
    sent.add(2, place)
    took.record(0.1, place)
    const first = await read()
    sent.add(1, place)
    took.record(5, place)
    const values = (metrics: MetricData[]) => metrics.map(({ dataPoints }) => dataPoints.map(({ value }) => value))
    const buckets = (counts: number[]) => ({ boundaries: BOUNDS, counts })
    expect(values(first)).to.deep.equal([
      [2],
      [{ sum: 0.1, count: 1, min: 0.1, max: 0.1, buckets: buckets([0, 1, 0, 0, 0]) }],
    ])
    expect(values(await read())).to.deep.equal([
      [3],
      [{ sum: 5.1, count: 2, min: 0.1, max: 5, buckets: buckets([0, 1, 0, 1, 0]) }],
    ])
  })
})
