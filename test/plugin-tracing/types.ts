/** Held by the compiler: what `tracing` adds is there exactly where it is registered. */
import { createBus, type Handler, type PluginModule } from '@busway/bus'
import * as module from '@busway/plugin-tracing'
import { type MessageTrace, type TracingOptions, tracing } from '@busway/plugin-tracing'
import { same } from '../types/program/equal.js'

export const connect = () => createBus({ service: 'shop', plugins: [tracing({ relation: 'link' })] })
export const connectBare = () => createBus({ service: 'shop' })

export const traced: Handler<ReturnType<typeof connect>, 'orders.paid'> = (_message, ctx) => {
  same<typeof ctx.trace, MessageTrace | undefined>()
  // @ts-expect-error it is told, not set
  ctx.trace = undefined
}
export const bare: Handler<ReturnType<typeof connectBare>, 'orders.paid'> = (_message, ctx) => {
  // @ts-expect-error the plugin is not registered
  ctx.trace
}

export const deployable: PluginModule<'tracing', TracingOptions> = module
// @ts-expect-error no such relation
tracing.bind(undefined, { relation: 'child' })
// @ts-expect-error no such option
tracing.bind(undefined, { sampler: 1 })
