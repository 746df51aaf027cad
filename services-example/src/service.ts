import { loadBus, type Subscription } from '@busway/bus'
import { schema } from '@busway/plugin-schema'
import { tell, toldToStop } from './launcher/link.js'
import { JournalFile } from './records/journal-file.js'
import { journal } from './records/journal-plugin.js'
import { settings } from './settings.js'
import { topics } from './topics.js'

/** How every service here makes its bus, but for the plugins that its code needs: its deployment adds to it. */
export const busOf = (service: string) => ({
  config: settings.deployment(),
  service,
  topics,
  namespace: settings.namespace(),
  logger: { level: 'warn' },
})

export const connect = (service: string, file: JournalFile) =>
  loadBus({ ...busOf(service), plugins: [journal(file), schema()] })
export type AppBus = Awaited<ReturnType<typeof connect>>

/** This process' journal. */
export const openJournal = () => new JournalFile(settings.folder(), settings.processName())

/** How long a consumer may be silent before its messages go to others. Short, since this example kills some. */
export const LEASE = '3s'

/** Consumes until this process is told to stop, then lets what runs come to its end. */
export async function consumeUntilStopped<B extends AsyncDisposable>(
  service: string,
  connected: (service: string, file: JournalFile) => Promise<B>,
  consume: (bus: B, file: JournalFile) => readonly Subscription[] | Promise<readonly Subscription[]>,
): Promise<void> {
  const stop = toldToStop()
  const file = openJournal()
  await using bus = await connected(service, file)
  await Promise.all((await consume(bus, file)).map(({ ready }) => ready))
  const metrics = metricsUrlOf(bus)
  tell({ kind: 'ready', ...(metrics && { metrics }) })
  await stop
}

/** Where the deployment's metrics are served, if it has any: what only a deployment adds is in no types. */
const metricsUrlOf = (bus: object): string | undefined => (bus as { metrics?: { url?: string } }).metrics?.url
