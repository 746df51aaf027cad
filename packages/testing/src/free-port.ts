import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A free port below the range that systems take the ports of outgoing connections from: in that range a client that
 * reconnects to a server which is down can be given the server's port, and so keep it, or connect to itself.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
