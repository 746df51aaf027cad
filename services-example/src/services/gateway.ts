/** The gateway to the outside: an HTTP server of its own that refuses some notifications. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Desk } from '../gateway/desk.js'
import { answerWith } from '../gateway/http.js'
import { isMain } from '../is-main.js'
import { tell, toldToStop } from '../launcher/link.js'
import { settings } from '../settings.js'

async function main(): Promise<void> {
  const stop = toldToStop()
  // Longer than a run: a connection that closes while it is used again would fail notifications beyond those meant to.
  const server = createServer({ keepAliveTimeout: 600_000 }, answerWith(new Desk(settings.seed())))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  tell({ kind: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  await stop
  server.close()
  server.closeAllConnections()
}

if (isMain(import.meta)) main()
