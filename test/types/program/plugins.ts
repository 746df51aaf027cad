// Stand-ins for the plugins to come, each adding to the types as they will.
import type { Duration, Plugin, PublishOptionsCore, TopicName } from '@busway/bus'

export interface Flow<T extends object> {
  publish<K extends TopicName<T>>(node: FlowNode<T, K>): Promise<{ id: string }>
}

export type FlowNode<T extends object, K extends TopicName<T> = TopicName<T>> = {
  [N in K]: { topic: N; body: T[N]; children?: FlowNode<T>[] }
}[K]

declare module '@busway/bus' {
  interface PluginTypes<T extends object> {
    dedupe: {
      publish: { dedupe?: { key?: string; window?: Duration } }
      consume: { inbox?: { window: Duration } }
    }
    ratelimit: { context: { rateLimit(pause: Duration): never } }
    schedule: {
      bus: {
        schedules: {
          upsert<K extends TopicName<T>>(
            id: string,
            options: { topic: K; body: T[K]; cron: string } & PublishOptionsCore,
          ): Promise<void>
        }
      }
    }
    flow: {
      bus: { flows: Flow<T> }
      context: { children(): Promise<{ topic: string; result: unknown }[]> }
    }
    tracing: Record<never, never>
  }
}

export declare function dedupe(options?: { window?: Duration }): Plugin<'dedupe'>
export declare function ratelimit(): Plugin<'ratelimit'>
export declare function schedule(): Plugin<'schedule'>
export declare function flow(): Plugin<'flow'>
export declare function tracing(): Plugin<'tracing'>
