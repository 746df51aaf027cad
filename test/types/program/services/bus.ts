import { loadBus } from '@busway/bus'
import { dedupe, schedule } from '../plugins.js'
import { topics } from './topics.js'

export const start = (service: string) =>
  loadBus({
    service,
    topics,
    config: new URL(`./deployments/${process.env.NODE_ENV ?? 'development'}.json`, import.meta.url),
    plugins: [dedupe(), schedule()],
  })
export type AppBus = Awaited<ReturnType<typeof start>>
