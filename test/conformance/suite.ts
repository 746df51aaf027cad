/**
 * The conformance suite: what every backend must do. A file of cases calls `conformance(area, cases)`, which runs them on each
 * backend; a backend is added here and nowhere else.
 */
import { type World, type WorldOptions, world } from '../support/world.js'

export interface Backend {
  readonly name: string
  /** Registers the hooks that start and stop it. */
  world(options?: WorldOptions): World
}

const standalone: Backend = { name: 'a standalone Redis', world }

export const backends: readonly Backend[] = [standalone]

export function conformance(area: string, cases: (world: World) => void, options?: WorldOptions): void {
  for (const backend of backends) {
    describe(`${area}, on ${backend.name}`, () => cases(backend.world(options)))
  }
}
