/**
 * Counters and histograms for an endpoint of our own. A measurement adds to what its attributes' object leads to. OpenTelemetry's own instruments write the
 * attributes out as text at each measurement to find that, which takes as long as a message does; they remain what an application's SDK is given.
 */
import {
  type Attributes,
  type Counter,
  type Histogram,
  type HrTime,
  type MetricOptions,
  ValueType,
} from '@opentelemetry/api'
import { emptyResource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics'

/** What measurements are made with. The same attributes should be the same object: each one is kept. */
export type Adds = Pick<Counter, 'add'>
export type Records = Pick<Histogram, 'record'>

/** Makes instruments, as a `Meter` does. */
export interface Makes {
  createCounter(name: string, options: MetricOptions): Adds
  createHistogram(name: string, options: MetricOptions): Records
}

/** A source for a `MetricReader`. */
export class Tallies implements Makes, MetricProducer {
  readonly #scope: string
  readonly #tallies: Tally<unknown>[] = []

  constructor(scope: string) {
    this.#scope = scope
  }

  createCounter(name: string, options: MetricOptions): Adds {
    const tally = new CounterTally(name, options)
    this.#tallies.push(tally)
    return tally
  }

  /** Its buckets are those of the options' advice. */
  createHistogram(name: string, options: MetricOptions): Records {
    const tally = new HistogramTally(name, options)
    this.#tallies.push(tally)
    return tally
  }

  async collect(): Promise<CollectionResult> {
    const metrics = this.#tallies.filter(({ isEmpty }) => !isEmpty).map((tally) => tally.data(now()))
    const scopeMetrics = [{ scope: { name: this.#scope }, metrics }]
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] }
  }
}

/** What has been measured with one set of attributes. */
interface Cell<Value> {
  readonly startTime: HrTime
  readonly value: Value
}

abstract class Tally<Value> {
  readonly #descriptor: MetricData['descriptor']
  readonly #cells = new Map<Attributes, Cell<Value>>()

  constructor(name: string, { unit = '', description = '' }: MetricOptions) {
    this.#descriptor = { name, unit, description, valueType: ValueType.DOUBLE }
  }

  get isEmpty(): boolean {
    return this.#cells.size === 0
  }

  abstract data(endTime: HrTime): MetricData

  protected abstract zero(): Value

  protected of(attributes: Attributes): Value {
    const known = this.#cells.get(attributes)
    if (known !== undefined) return known.value
    const made = { startTime: now(), value: this.zero() }
    this.#cells.set(attributes, made)
    return made.value
  }

  /** `told`: what others may keep of a value, which goes on changing. */
  protected points<Told>(endTime: HrTime, told: (value: Value) => Told): DataPoint<Told>[] {
    return [...this.#cells].map(([attributes, { startTime, value }]) => ({
      startTime,
      endTime,
      attributes,
      value: told(value),
    }))
  }

  protected get common() {
    return { descriptor: this.#descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  }
}

class CounterTally extends Tally<{ sum: number }> implements Adds {
  add(count: number, attributes: Attributes = NONE): void {
    this.of(attributes).sum += count
  }

  data(endTime: HrTime): MetricData {
    const dataPoints = this.points(endTime, ({ sum }) => sum)
    return { ...this.common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
  }

  protected zero() {
    return { sum: 0 }
  }
}

interface Distribution {
  sum: number
  count: number
  min: number
  max: number
  readonly counts: number[]
}

class HistogramTally extends Tally<Distribution> implements Records {
  readonly #bounds: number[]

  constructor(name: string, options: MetricOptions) {
    super(name, options)
    this.#bounds = [...(options.advice?.explicitBucketBoundaries ?? [])]
  }

  record(value: number, attributes: Attributes = NONE): void {
    const to = this.of(attributes)
    to.sum += value
    to.count++
    if (value < to.min) to.min = value
    if (value > to.max) to.max = value
    let bucket = 0
    // Most are in the first: nothing is gained by halving.
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket++
    to.counts[bucket] = (to.counts[bucket] as number) + 1
  }

  data(endTime: HrTime): MetricData {
    const dataPoints = this.points(endTime, ({ counts, ...rest }) => ({
      ...rest,
      buckets: { boundaries: this.#bounds, counts: [...counts] },
    }))
    return { ...this.common, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }

  protected zero(): Distribution {
    const counts = new Array<number>(this.#bounds.length + 1).fill(0)
    return { sum: 0, count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, counts }
  }
}

const NONE: Attributes = {}

function now(): HrTime {
  const ms = performance.timeOrigin + performance.now()
  return [Math.floor(ms / 1e3), Math.floor((ms % 1e3) * 1e6)]
}
