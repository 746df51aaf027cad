/** What `metrics` can be told, with its defaults. */
import { BuswayError } from '@busway/bus'

/** Where the built-in endpoint listens. */
export interface PrometheusOptions {
  /** 0: any that is free; `bus.metrics.url` and the log say which. Default: 9464. */
  port?: number
  /** The address of an interface of this host. Default: all of them. */
  host?: string
  /** Default: `/metrics`. */
  path?: string
}

/** Options of `metrics`. */
export interface MetricsOptions {
  /** Serve the metrics to Prometheus. Without, they go to the globally registered OpenTelemetry SDK. */
  prometheus?: PrometheusOptions
  /**
   * Whose queues are read at each collection. `own`: the topics that the bus defines, publishes to or consumes from; `all` topics in Redis; those of a list;
   * `false`: none. Default: `own`.
   */
  gauges?: 'own' | 'all' | readonly string[] | false
  /** How many topics are told apart, those that come first; the others are counted as the topic `other`, and have no gauges. 1 to 10,000. Default: 200. */
  maxTopics?: number
}

/** The options with their defaults. */
export interface Settings {
  readonly prometheus: (Required<Omit<PrometheusOptions, 'host'>> & { readonly host: string | undefined }) | undefined
  readonly gauges: 'own' | 'all' | readonly string[] | false
  readonly maxTopics: number
}

const MOST_TOPICS = 10_000

/** The options as JSON Schema, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    prometheus: {
      type: 'object',
      additionalProperties: false,
      description: 'serve the metrics to Prometheus; without, they go to the globally registered OpenTelemetry SDK',
      properties: {
        port: { type: 'integer', minimum: 0, maximum: 65535, description: '0: any that is free; default 9464' },
        host: { type: 'string', minLength: 1, description: 'the address of an interface; default all of them' },
        path: { type: 'string', pattern: '^/', description: "default '/metrics'" },
      },
    },
    gauges: {
      description: "whose queues are read at each collection: 'own', 'all', a list of topics, or false; default 'own'",
      anyOf: [{ enum: ['own', 'all'] }, { const: false }, { type: 'array', items: { type: 'string' } }],
    },
    maxTopics: {
      type: 'integer',
      minimum: 1,
      maximum: MOST_TOPICS,
      description: "how many topics are told apart, the others are 'other'; default 200",
    },
  },
}

/** With all defaults. Throws INVALID_OPTIONS. */
export function checkOptions(given: MetricsOptions): Settings {
  checkNames('metrics', given, ['prometheus', 'gauges', 'maxTopics'])
  const { prometheus, gauges = 'own', maxTopics = 200 } = given
  const isList = Array.isArray(gauges) && gauges.every((topic) => typeof topic === 'string')
  if (!isList && gauges !== 'own' && gauges !== 'all' && gauges !== false)
    throw invalid("gauges should be 'own', 'all', a list of topics, or false.")
  if (!isInteger(maxTopics, 1, MOST_TOPICS))
    throw invalid(`maxTopics should be a whole number from 1 to ${MOST_TOPICS}.`)
  return { prometheus: prometheus === undefined ? undefined : checkPrometheus(prometheus), gauges, maxTopics }
}

function checkPrometheus(given: PrometheusOptions): Settings['prometheus'] {
  checkNames('metrics: prometheus', given, ['port', 'host', 'path'])
  const { port = 9464, host, path = '/metrics' } = given
  if (!isInteger(port, 0, 65_535))
    throw invalid('prometheus.port should be a port, 1 to 65535, or 0 for any that is free.')
  if (host !== undefined && (typeof host !== 'string' || host === ''))
    throw invalid('prometheus.host should be the address of an interface of this host.')
  if (typeof path !== 'string' || !path.startsWith('/')) throw invalid("prometheus.path should begin with '/'.")
  return { port, host, path }
}

function checkNames(where: string, given: unknown, names: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new BuswayError('INVALID_OPTIONS', `${where}: the options are an object { ${names.join(', ')} }.`)
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new BuswayError('INVALID_OPTIONS', `${where}: there is no option '${name}'; it has ${names.join(', ')}.`)
}

const isInteger = (value: unknown, from: number, to: number): boolean =>
  Number.isInteger(value) && (value as number) >= from && (value as number) <= to

const invalid = (message: string): BuswayError => new BuswayError('INVALID_OPTIONS', `metrics: ${message}`)
