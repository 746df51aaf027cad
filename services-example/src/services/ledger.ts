/** Enters every flight into the books. An entry counts once it is on disk. */
import type { Handler } from '@busway/bus'
import { isMain } from '../is-main.js'
import { Entries } from '../records/entries.js'
import { type AppBus, connect, consumeUntilStopped, LEASE } from '../service.js'

/** After a crash it may run again for the same message: the entries are keyed by flight, so a second changes nothing. */
export const onFlight =
  (entries: Entries): Handler<AppBus, 'flights.departed'> =>
  async ({ id, body }) => {
    await entries.enter(body.flight, id)
  }

if (isMain(import.meta))
  consumeUntilStopped('ledger', connect, (bus, file) => [
    bus.consume('flights.departed', onFlight(new Entries(file)), { concurrency: 200, lease: LEASE }),
  ])
