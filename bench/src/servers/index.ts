/** Servers of the peers that are not in Redis. */
import { temporaryFolder } from '@busway/testing'
import { type PeerName, type ServerName, serverNeededBy } from '../peers/index.js'
import { natsServer } from './nats.js'
import { rabbitmqServer } from './rabbitmq.js'
import { findProgram, type RunningServer, type ServerKind } from './server.js'

const SERVERS: Record<ServerName, ServerKind> = { nats: natsServer, rabbitmq: rabbitmqServer }

/** Of the peers those whose server is installed, and a line about each other. Nothing is installed. */
export async function whoCanTakePart(
  peers: readonly PeerName[],
  path?: string,
): Promise<{ peers: PeerName[]; missing: string[] }> {
  const able: PeerName[] = []
  const missing: string[] = []
  for (const peer of peers) {
    const server = serverNeededBy(peer)
    if (server === undefined || (await findProgram(SERVERS[server].programs, path))) able.push(peer)
    else missing.push(`${peer} takes no part: its server is not installed. To have it: ${SERVERS[server].install}`)
  }
  return { peers: able, missing }
}

/** Starts what the peers need beside Redis, and tells their processes where it is by the environment. */
export async function startServers(peers: readonly PeerName[]): Promise<{ stop(): Promise<void> }> {
  const needed = new Set(peers.map(serverNeededBy).filter((name) => name !== undefined))
  if (needed.size === 0) return { stop: async () => {} }
  const letGo = endOrderly()
  const folder = await temporaryFolder()
  const running: RunningServer[] = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
    await folder.remove()
    letGo()
  }
  try {
    for (const name of needed) {
      const { programs, variable, start } = SERVERS[name]
      const program = await findProgram(programs)
      if (!program) throw new Error(`${programs.at(-1)} is not in PATH.`)
      const server = await start(program, folder.path)
      running.push(server)
      process.env[`${variable}_URL`] = server.url
      process.env[`${variable}_PID`] = `${server.pid}`
    }
    return { stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** In a peer's process: where the bench has started it. */
export function serverOf(name: ServerName): { url: string; pid: number } {
  const { variable } = SERVERS[name]
  const url = process.env[`${variable}_URL`]
  if (!url) throw new Error(`${variable}_URL is not set: the bench sets it when it has started the server.`)
  return { url, pid: Number(process.env[`${variable}_PID`]) }
}

/** A signal ends the process as `process.exit` does, so that the servers end with it. */
function endOrderly(): () => void {
  const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }
  const exits = Object.entries(signals).map(([signal, code]) => {
    const exit = () => process.exit(code)
    process.once(signal, exit)
    return () => process.off(signal, exit)
  })
  return () => {
    for (const off of exits) off()
  }
}
