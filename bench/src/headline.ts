/** A run in one paragraph, for the README. */
import { valuesOf } from './comparison.js'
import type { MetricName } from './metrics.js'
import type { Results } from './results.js'
import { ratio } from './statistics.js'

/** Each is said of Busway beside BullMQ, with `#` in the place of the ratio. */
const CLAIMS: readonly [scenario: string, metric: MetricName, claim: string][] = [
  ['publish-concurrent', 'perSecond', '# times as many publishes a second with 500 in flight'],
  ['publish-awaited', 'perSecond', '# times as many if each is awaited'],
  ['consume-1', 'perSecond', '# times as many messages consumed one at a time'],
  ['consume-100', 'perSecond', '# times as many at a concurrency of 100'],
  ['end-to-end', 'perSecond', '# times as many from one process to another'],
  ['memory-together', 'bytes', '# of the memory for what waits'],
  ['idle-latency', 'p50Us', 'and # of the time in which a lone message gets to an idle consumer (median)'],
]

/** Says nothing of what the run did not measure. */
export function headline(results: Results): string {
  const { date, cpus } = results.environment
  const version = results.peers.find(({ name }) => name === 'bullmq')?.version ?? ''
  const claims = CLAIMS.flatMap(([scenario, metric, claim]) => {
    const [ours, theirs] = ['busway', 'bullmq'].map((peer) => valuesOf(results, scenario, peer, metric))
    if (!ours?.length || !theirs?.length) return []
    return claim.replace('#', short(ratio(ours, theirs).median))
  })
  return `Beside BullMQ ${version} on the same Redis, in one run on ${cpus} CPUs on ${date.slice(0, 10)}: ${claims.join(', ')}. [Method, spread and all figures](docs/performance.md).`
}

const short = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 2 })
