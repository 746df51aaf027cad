/** What a worker thread runs. */
import { closeModules, runTask } from './guest.js'
import type { Ending, FromGuest, FromHost } from './protocol.js'
import { channelOf, type ThreadTask } from './thread-pool.js'

export default async function run(given: ThreadTask): Promise<Ending | undefined> {
  if ('close' in given) {
    await closeModules()
    return undefined
  }
  const channel = channelOf<FromGuest, FromHost>(given.port)
  try {
    return await runTask(given.task, channel)
  } finally {
    channel.close()
  }
}
