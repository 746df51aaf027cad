/** What can be measured of a scenario, with the words for it in reports. */
export const METRICS = {
  perSecond: 'messages per second',
  p50Us: 'latency p50, µs',
  p99Us: 'latency p99, µs',
  redisCpuUs: 'Redis CPU per message, µs',
  redisScriptUs: 'of which in scripts, µs',
  redisScripts: 'Redis script calls per message',
  redisCommands: 'Redis commands per message',
  clientCpuUs: 'client CPU per message, µs',
} as const

export type MetricName = keyof typeof METRICS
export type Metrics = Partial<Record<MetricName, number>>

/** What every message costs, reported of every scenario after its own figures. */
export const COSTS = ['redisCpuUs', 'redisScriptUs', 'redisScripts', 'redisCommands', 'clientCpuUs'] as const
