/** What a sandbox's process runs. */
import { closeModules, runTask } from './guest.js'
import type { FromProcess, ToProcess } from './process-pool.js'
import type { FromHost } from './protocol.js'

let toGuest: (message: FromHost) => void = () => undefined
const send = (message: FromProcess): void => void process.send?.(message)

process.on('message', async (message: ToProcess) => {
  if ('toGuest' in message) toGuest(message.toGuest)
  else if ('close' in message) {
    await closeModules()
    process.disconnect()
  } else {
    const ended = await runTask(message.task, {
      send: (toHost) => send({ toHost }),
      listen: (listener) => {
        toGuest = listener
      },
      close: () => undefined,
    })
    toGuest = () => undefined
    send({ ended })
  }
})
// The service is gone, and so should this be.
process.on('disconnect', () => process.exit())
