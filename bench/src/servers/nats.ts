import { end, freePort, launch, type ServerKind } from './server.js'

/** NATS with JetStream; its streams are kept in memory, as the bench's Redis keeps its data. */
export const natsServer: ServerKind = {
  install: 'apt-get install nats-server',
  programs: ['nats-server'],
  variable: 'BENCH_NATS',
  async start(program, folder) {
    const port = await freePort()
    const child = await launch(program, ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', folder], port)
    return { url: `nats://127.0.0.1:${port}`, pid: child.pid, stop: () => end(child) }
  },
}
