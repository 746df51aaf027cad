import { loadBus, type Subscription } from '@busway/bus'
import { schema } from '@busway/plugin-schema'
import { tell, toldToStop } from './launcher/link.js'
import { JournalFile } from './records/journal-file.js'
import { journal } from './records/journal-plugin.js'
import { settings } from './settings.js'
import { topics } from './topics.js'

/** The bus as every service here makes it: with what the code needs, and what its deployment adds. */
export function connect(service: string, file: JournalFile) {
  return loadBus({
    config: settings.deployment(),
    service,
    topics,
    namespace: settings.namespace(),
    plugins: [journal(file), schema()],
    logger: { level: 'warn' },
  })
}
export type AppBus = Awaited<ReturnType<typeof connect>>

/** This process' journal. */
export const openJournal = () => new JournalFile(settings.folder(), settings.processName())

/** How long a consumer may be silent before its messages go to others. Short, since this example kills some. */
export const LEASE = '3s'

/** Consumes until this process is told to stop, then lets what runs come to its end. */
export async function consumeUntilStopped(
  service: string,
  consume: (bus: AppBus, file: JournalFile) => readonly Subscription[],
): Promise<void> {
  const stop = toldToStop()
  const file = openJournal()
  await using bus = await connect(service, file)
  await Promise.all(consume(bus, file).map(({ ready }) => ready))
  const metrics = metricsUrlOf(bus)
  tell({ kind: 'ready', ...(metrics && { metrics }) })
  await stop
}

/** Where the deployment's metrics are served, if it has any: what only a deployment adds is in no types. */
const metricsUrlOf = (bus: object): string | undefined => (bus as { metrics?: { url?: string } }).metrics?.url
