import type { Metrics } from './metrics.js'
import type { Findings } from './scenario.js'
import { type CommandStats, commandsBetween, costBetween, type ServerUse } from './server-info.js'
import { percentile } from './statistics.js'

/** One timed part, measured. */
export interface Measurement {
  messages: number
  seconds: number
  /** Per message, where they are costs. */
  metrics: Metrics
  /** Calls and µs of each Redis command per message. */
  commands: Record<string, CommandStats>
}

/** Runs `work` and measures it, from this process and, by what `serverUse` tells, from the server. */
export async function measure(
  serverUse: () => Promise<ServerUse>,
  messages: number,
  work: () => Promise<Findings>,
): Promise<Measurement> {
  const serverBefore = await serverUse()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const findings = await work()
  const seconds = (performance.now() - start) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  const serverAfter = await serverUse()

  const cost = costBetween(serverBefore, serverAfter)
  const clientCpuUs = cpu.user + cpu.system + (findings.otherClientCpuUs ?? 0)
  const metrics: Metrics = {
    perSecond: messages / seconds,
    redisCpuUs: cost.cpuUs / messages,
    redisScriptUs: cost.scriptUs / messages,
    redisScripts: cost.scripts / messages,
    redisCommands: cost.commands / messages,
    clientCpuUs: clientCpuUs / messages,
  }
  if (findings.latenciesUs) {
    metrics.p50Us = percentile(findings.latenciesUs, 50)
    metrics.p99Us = percentile(findings.latenciesUs, 99)
    metrics.p999Us = percentile(findings.latenciesUs, 99.9)
  }
  if (findings.bytes !== undefined) metrics.bytes = findings.bytes / messages
  if (findings.connections !== undefined) {
    metrics.connections = findings.connections
    metrics.commandsPerSecond = cost.commands / seconds
    metrics.clientCpuPercent = clientCpuUs / seconds / 1e4
    metrics.redisCpuPercent = cost.cpuUs / seconds / 1e4
  }
  if (findings.handledPerSecond !== undefined) metrics.handledPerSecond = findings.handledPerSecond
  if (findings.ofLimit !== undefined) metrics.ofLimit = findings.ofLimit
  return { messages, seconds, metrics, commands: perMessage(commandsBetween(serverBefore, serverAfter), messages) }
}

function perMessage(commands: ReadonlyMap<string, CommandStats>, messages: number): Record<string, CommandStats> {
  const entries = [...commands].sort(([, a], [, b]) => b.usec - a.usec)
  return Object.fromEntries(
    entries.map(([name, { calls, usec }]) => [name, { calls: calls / messages, usec: usec / messages }]),
  )
}
