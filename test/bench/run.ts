/** Runs that nobody has measured, for what is made of them. */
import type { Metrics } from '../../bench/src/metrics.js'
import type { PeerName } from '../../bench/src/peers/index.js'
import type { Results } from '../../bench/src/results.js'
import type { Trial } from '../../bench/src/rounds.js'

export function trial(peer: PeerName, round: number, metrics: Metrics, scenario = 'publish'): Trial {
  return { peer, round, scenario, version: '1.0.0', messages: 1000, seconds: 1, metrics, commands: {} }
}

export function run(peers: readonly PeerName[], trials: Trial[], more: Partial<Results> = {}): Results {
  return {
    format: 1,
    environment: {
      date: '2030-01-02T03:04:05.678Z',
      revision: 'abc',
      node: 'v20.1.0',
      redis: '7.0.15',
      cpu: 'Some CPU',
      cpus: 2,
      memoryGb: 8,
      loadBefore: 0,
    },
    rounds: 3,
    seconds: 1,
    messages: null,
    bodyBytes: 208,
    quick: false,
    peers: peers.map((name) => ({ name, version: '1.0.0' })),
    scenarios: [{ name: 'publish', title: 'publish it', metrics: ['perSecond', 'p50Us'] }],
    trials,
    failures: [],
    ...more,
  }
}
