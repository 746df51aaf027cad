// A stranger's plugin: everything from the package's entry.
import { createBus, type Plugin, type PluginTypes, type Scope } from '@busway/bus'
import { topics } from './topics.js'

declare module '@busway/bus' {
  // As the design page has it, without repeating the constraint.
  interface PluginTypes<T> {
    tenant: {
      publish: { tenant?: string }
      consume: { tenants?: readonly string[] }
      context: { tenant: string }
      bus: { tenants: { of(topic: keyof T & string): Promise<string[]> } }
    }
  }
}

const tenant = (options: { header: string }): Plugin<'tenant'> => ({
  name: 'tenant',
  api: 1,
  requires: [],
  before: ['tracing'],
  setup(scope: Scope) {
    scope.option('publish', 'tenant', (value) => (typeof value === 'string' ? undefined : 'a string'))
    scope.publish('enrich', async (batch, next) => {
      for (const message of batch.messages) message.headers[options.header] = String(message.options.tenant)
      return next()
    })
    scope.consume('handle', (delivery, next) => {
      delivery.message.id satisfies string
      return next()
    })
    scope.consume('decode', async (encoded, next) => {
      encoded.body satisfies Uint8Array
      return next()
    })
    // @ts-expect-error no such stage
    scope.consume('settle', async (_delivery: unknown, next: () => Promise<unknown>) => next())
    scope.observe('settled', (event) => {
      if (event.outcome.kind === 'retry') event.outcome.delayMs.toFixed()
      // @ts-expect-error only a dead letter has a reason
      event.outcome.reason
    })
    // @ts-expect-error no such event
    scope.observe('acked', () => {})
    scope.context('tenant', (delivery) => delivery.message.headers[options.header])
    const list = scope.script<[limit: number], string[]>({ name: 'list', keys: () => ['all'], lua: 'return {}' })
    // @ts-expect-error the script's arguments
    scope.ready(async () => void list('orders.paid', 'ten'))
    scope.guard({
      at: 'publish',
      name: 'known',
      keys: () => ['all'],
      args: (message) => (message.options.tenant === undefined ? undefined : [String(message.options.tenant)]),
      lua: 'return {}',
    })
    // @ts-expect-error a guard at no known place
    scope.guard({ at: 'retry', name: 'x', keys: () => [], args: () => undefined, lua: '' })
    scope.ready(async () => {
      scope.bus.consume('$tenant', async (message, ctx) => {
        await ctx.publish('$tenant', message.body)
      })
    })
    return { tenants: { of: (topic: string) => list(topic, 10) } }
  },
})

const bus = createBus({ service: 't', topics, plugins: [tenant({ header: 'x' })] })
bus.consume('orders.paid', (_message, ctx) => ctx.tenant.length, { tenants: ['a'] })
await bus.publish('orders.paid', { id: '1', paidAt: new Date() }, { tenant: 'a' })
export const names: string[] = await bus.tenants.of('orders.paid')
// @ts-expect-error no such topic
await bus.tenants.of('orders.payed')
// @ts-expect-error of the wrong type
await bus.publish('orders.paid', { id: '1', paidAt: new Date() }, { tenant: 1 })
export type Added = PluginTypes<{ a: string }>['tenant']['publish']

export const broken: Plugin<'broken'> = {
  name: 'broken',
  // @ts-expect-error no such version of the contract
  api: 2,
  setup() {},
}
