/** Asks a server one question over a connection of its own, in as much of the Redis protocol as that takes. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Where a server listens: a port on the loopback address, a socket's path, or a URL. */
export type Address = { port: number } | { path: string } | { url: URL }

/**
 * Sends the commands and gives the last one's reply: a bulk string's content, or the line of any other reply
 * (`+PONG`, `-LOADING ...`). Rejects if the server cannot be reached, closes, or does not answer within `timeoutMs`.
 */
export function probe(address: Address, commands: string[][], timeoutMs = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = open(address)
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      socket.destroy()
      settle()
    }
    const timer = setTimeout(() => finish(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs)
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      const replies = readReplies(received)
      const refused = replies.slice(0, commands.length - 1).find((reply) => reply.startsWith('-'))
      if (refused) finish(() => resolve(refused))
      else if (replies.length >= commands.length) finish(() => resolve(replies[commands.length - 1] as string))
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      // A host with several addresses fails with an AggregateError, whose message is empty.
      finish(() => reject(new Error(error.message || error.code, { cause: error }))),
    )
    socket.on('close', () => finish(() => reject(new Error('the connection was closed'))))
    socket.write(commands.map(encode).join(''))
  })
}

/** The `AUTH` that a URL's user and password ask for, if any. */
export function authCommand(url: URL): string[][] {
  if (!url.password) return []
  const credentials = url.username ? [url.username, url.password] : [url.password]
  return [['AUTH', ...credentials.map(decodeURIComponent)]]
}

function open(address: Address): Socket {
  if ('port' in address) return connect(address.port, '127.0.0.1')
  if ('path' in address) return connect(address.path)
  const host = address.url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1'
  const port = Number(address.url.port || 6379)
  return address.url.protocol === 'rediss:' ? connectTls({ host, port, servername: host }) : connect(port, host)
}

function encode(command: string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
}

/** The complete replies received so far; only lines and bulk strings are ever asked for. */
function readReplies(received: Buffer): string[] {
  const replies: string[] = []
  let at = 0
  for (;;) {
    const end = received.indexOf('\r\n', at)
    if (end < 0) return replies
    const line = received.toString('utf8', at, end)
    at = end + 2
    if (line.startsWith('$')) {
      const length = Number(line.slice(1))
      if (received.length < at + length + 2) return replies
      replies.push(received.toString('utf8', at, at + length))
      at += length + 2
    } else replies.push(line)
  }
}
