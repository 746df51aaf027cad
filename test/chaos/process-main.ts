/** The program of each process of a chaos run. */
import { type Bus, createBus, type Plugin } from '@busway/bus'
import { dedupe } from '@busway/plugin-dedupe'
import { flow } from '@busway/plugin-flow'
import { ratelimit } from '@busway/plugin-ratelimit'
import { schedule } from '@busway/plugin-schedule'
import { Redis } from 'ioredis'
import { startConsuming } from './consumer.js'
import { Recorder } from './history.js'
import type { ProcessCommand, ProcessReport, ProcessSetup } from './process-setup.js'
import { startProducing } from './producer.js'
import { durabilityOf, LEASE_MS } from './workload.js'

/** What either role can be told. */
export interface Role {
  readonly ready: Promise<unknown>
  /** Resolves when it begins nothing any more. */
  stop(): Promise<void>
  slow(isSlow: boolean): void
}
export interface Place {
  readonly bus: Bus
  readonly recorder: Recorder
  readonly setup: ProcessSetup
}

const setup: ProcessSetup = JSON.parse(process.env.BUSWAY_CHAOS ?? '{}')
const report = (what: ProcessReport) => void (process.connected && process.send?.(what))
const fail = (error: unknown) => {
  report({ failed: error instanceof Error ? (error.stack ?? String(error)) : String(error) })
  process.exit(1)
}
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
// Who started this process is gone, and so should it be.
process.on('disconnect', () => process.exit(0))

const recorder = new Recorder(setup.history, setup.process)
const clock = new Redis(setup.clock)
clock.on('error', () => {})
await recorder.measure(clock)
clock.disconnect()

const listener: Plugin<'listener'> = {
  name: 'listener',
  api: 1,
  setup(scope) {
    if (setup.role === 'consumer') scope.observe('settled', (event) => settled(event))
  },
}
let settled: ReturnType<typeof startConsuming>['settled'] = () => {}
const bus = createBus({
  service: setup.role,
  redis: setup.redis,
  namespace: setup.namespace,
  logger: false,
  publishTimeout: '20s',
  ...durabilityOf(setup.isDurable),
  plugins: [
    listener,
    dedupe(),
    ratelimit(),
    schedule({ lease: LEASE_MS, fire: setup.role === 'consumer' }),
    flow({ lease: LEASE_MS, coordinate: setup.role === 'consumer' }),
  ],
})
bus.on('error', () => {})
bus.on('rollback', ({ side }) => recorder.add({ e: 'rollback', side }))

const place: Place = { bus: bus as unknown as Bus, recorder, setup }
let role: Role
if (setup.role === 'consumer') {
  const consuming = startConsuming(place)
  settled = consuming.settled
  role = consuming
} else role = startProducing(place)
await role.ready
report('ready')

process.on('message', async (command: ProcessCommand) => {
  if (command !== 'close') return role.slow(command === 'slow')
  await role.stop()
  await bus.close()
  report('closed')
  process.disconnect()
})
