/**
 * The conformance suite: what every backend must do. A file of cases calls `conformance(area, cases)`, which runs them on each
 * backend; a backend is added here and nowhere else.
 */
import { clusterBackend } from '../support/cluster-backend.js'
import { type World, type WorldOptions, world } from '../support/world.js'

export interface Backend {
  readonly name: string
  /** Registers the hooks that start and stop it. */
  world(options?: WorldOptions): World
}

const standalone: Backend = { name: 'a standalone Redis', world }
const cluster: Backend = { name: 'a Redis Cluster', world: clusterBackend }

/** `BUSWAY_CONFORMANCE`: `standalone`, which is the default, `cluster`, or `all`. */
export const backends = ({ standalone: [standalone], cluster: [cluster], all: [standalone, cluster] }[
  process.env.BUSWAY_CONFORMANCE ?? 'standalone'
] ?? []) as readonly Backend[]
if (backends.length === 0) throw new Error('BUSWAY_CONFORMANCE is standalone, cluster or all')

export function conformance(area: string, cases: (world: World) => void, options?: WorldOptions): void {
  for (const backend of backends) {
    describe(`${area}, on ${backend.name}`, () => cases(backend.world(options)))
  }
}
