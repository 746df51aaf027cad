/** A server that speaks enough of Redis' protocol to be what a real one here cannot be: old, or no Redis at all. */
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'

export interface StandIn {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** `answer` gives the raw reply to a command, or `undefined` for none. */
export async function standIn(answer: (command: string) => string | undefined): Promise<StandIn> {
  const sockets = new Set<import('node:net').Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      // Commands are small here and arrive whole.
      for (const command of chunk.toString('latin1').split(/(?=\*\d+\r\n\$)/)) {
        const words = command.split('\r\n').filter((word) => word !== '' && !/^[*$]\d+$/.test(word))
        const reply = answer(words.join(' '))
        if (reply !== undefined) socket.write(reply)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
