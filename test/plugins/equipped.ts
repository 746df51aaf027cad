/** Buses with plugins of a test's own, in its world. */
import { type Bus, type BusOptions, createBus, type DeadLetter, type Plugin, type Scope } from '@busway/bus'
import { eventually } from '../support/eventually.js'
import type { World } from '../support/world.js'

type Setup = (scope: Scope) => object | undefined
type Conditions = Pick<Plugin, 'requires' | 'before' | 'after'>

/** A plugin that declares what `setup` does; what `setup` returns is added to the bus. */
export const plugin = (
  name: string,
  setup: Setup | ((scope: Scope) => void) = () => undefined,
  conditions: Conditions = {},
): Plugin => ({
  name,
  api: 1,
  setup: (scope) => setup(scope) ?? undefined,
  ...conditions,
})

/** A bus in the test's namespace with these plugins, closed after the test. */
export function equipped(world: World, plugins: readonly Plugin[], options: Partial<BusOptions> = {}): Bus {
  const bus = createBus({
    service: 'test',
    redis: world.server.url,
    namespace: world.namespace,
    logger: world.log.logger,
    ...options,
    plugins,
  })
  bus.on('error', () => {})
  world.atEnd(() => bus.close({ timeout: 2000 }))
  return bus as Bus
}

/** The dead letters of a group of `orders.paid`, once there are any. */
export const deadLetters = (world: World, bus: Bus, group: string): Promise<readonly DeadLetter[]> =>
  eventually(world, `a dead letter of ${group}`, async () => {
    const { items } = await bus.topic('orders.paid').group(group).deadLetters()
    return items.length > 0 ? items : undefined
  })

/** Options as a plugin's user writes them where the test has no types for it. */
export const extra = (options: Record<string, unknown>): object => options
