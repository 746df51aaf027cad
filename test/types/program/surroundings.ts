// Loggers, connections, `await using`.
import { createBus, type Logger } from '@busway/bus'
import pino from 'pino'

createBus({ service: 'x', logger: pino() })
createBus({ service: 'x', logger: pino({ level: 'debug' }).child({ a: 1 }) })
createBus({ service: 'x', logger: { level: 'warn', base: null } })
createBus({ service: 'x', logger: false })
// @ts-expect-error silence is false
createBus({ service: 'x', logger: true })
// @ts-expect-error console has no child and no level
createBus({ service: 'x', logger: console })

// The shape of Fastify's `app.log` (FastifyBaseLogger), which is pino's without its generics.
interface FastifyLogFn {
  (message: string, ...args: unknown[]): void
  (fields: unknown, message?: string, ...args: unknown[]): void
}
interface FastifyBaseLogger {
  level: string
  fatal: FastifyLogFn
  error: FastifyLogFn
  warn: FastifyLogFn
  info: FastifyLogFn
  debug: FastifyLogFn
  trace: FastifyLogFn
  silent: FastifyLogFn
  child(bindings: Record<string, unknown>, options?: { level?: string }): FastifyBaseLogger
}
declare const app: { log: FastifyBaseLogger }
createBus({ service: 'x', logger: app.log })
export const logger: Logger = app.log

createBus({ service: 'x', redis: 'redis://127.0.0.1:6380', namespace: 'shop', maxPayload: 1e6, publishTimeout: '5s' })
createBus({ service: 'x', redis: { host: '127.0.0.1', password: 'p', tls: {} } })
// @ts-expect-error no such option
createBus({ service: 'x', namspace: 'shop' })

export async function main() {
  await using bus = createBus({ service: 'u' })
  await using subscription = bus.consume('a', () => {})
  await subscription.ready
  await bus.ready()
  const report = await bus.close({ timeout: '5s' })
  report.abandoned satisfies readonly string[]
  bus.inspect().toString() satisfies string
}
