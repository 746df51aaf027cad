/** A service with a sandboxed handler, that ends by itself once it was closed. */
import { createBus } from '@busway/bus'
import { type SandboxOptions, sandbox } from '@busway/plugin-sandbox'

const isolate = process.env.ISOLATE as NonNullable<SandboxOptions['isolate']>
const bus = createBus({
  service: 'render',
  redis: process.env.REDIS ?? '',
  namespace: process.env.NAMESPACE ?? '',
  logger: false,
})
const kinds = new URL('./handlers/kinds.mjs', import.meta.url)
bus.consume('films.uploaded', sandbox(kinds, { isolate, threads: 1 }))
const { result } = await (async () => {
  const { id } = await bus.publish('films.uploaded', { kind: 'echo', value: 7 }, { keepResult: '1m' })
  return bus.topic('films.uploaded').settled(id)
})()
await bus.close()
process.stdout.write(`result ${result}\n`)
