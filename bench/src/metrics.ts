/** What can be measured of a scenario, with the words for it in reports. */
export const METRICS = {
  perSecond: 'messages per second',
  handledPerSecond: 'messages per second, from the first handled to the last',
  p50Us: 'latency p50, µs',
  p99Us: 'latency p99, µs',
  p999Us: 'latency p99.9, µs',
  bytes: 'Redis memory per waiting message, bytes',
  connections: 'connections to Redis',
  commandsPerSecond: 'Redis commands per second',
  clientCpuPercent: 'client CPU, per cent of one',
  redisCpuPercent: 'Redis CPU, per cent of one',
  ofLimit: 'rate, per cent of the limit',
  redisCpuUs: 'server CPU per message, µs',
  redisScriptUs: 'of which in scripts, µs',
  redisScripts: 'Redis script calls per message',
  redisCommands: 'Redis commands per message',
  clientCpuUs: 'client CPU per message, µs',
} as const

export type MetricName = keyof typeof METRICS
export type Metrics = Partial<Record<MetricName, number>>

/** What every message costs, reported of every scenario after its own figures. */
export const COSTS = ['redisCpuUs', 'redisScriptUs', 'redisScripts', 'redisCommands', 'clientCpuUs'] as const

const MORE_IS_BETTER: ReadonlySet<MetricName> = new Set(['perSecond', 'handledPerSecond', 'ofLimit'])

/** Of everything that a message costs, time included. */
export function isLessBetter(metric: MetricName): boolean {
  return !MORE_IS_BETTER.has(metric)
}

const COUNTED_BY_REDIS = ['redisScriptUs', 'redisScripts', 'redisCommands'] as const

/** Of a peer on another server, which does not count its commands, and whose CPU not every system tells. */
export function withoutRedis(metrics: Metrics): Metrics {
  const rest = { ...metrics }
  for (const name of COUNTED_BY_REDIS) delete rest[name]
  if (Number.isNaN(rest.redisCpuUs)) delete rest.redisCpuUs
  return rest
}
