import { end, findProgram, freePort, launch, type ServerKind } from './server.js'

/** RabbitMQ with its defaults, apart from where it listens and keeps its files. */
export const rabbitmqServer: ServerKind = {
  install: 'apt-get install rabbitmq-server',
  // Debian's program in PATH is a wrapper that runs it as another user, in the folder of the system's own server.
  programs: ['/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server'],
  variable: 'BENCH_RABBITMQ',
  async start(program, folder) {
    const [port, distributionPort, namesPort] = [await freePort(), await freePort(), await freePort()]
    const env = {
      ...process.env,
      HOME: folder,
      ERL_EPMD_PORT: `${namesPort}`,
      RABBITMQ_NODENAME: `bench-${process.pid}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: `${port}`,
      RABBITMQ_DIST_PORT: `${distributionPort}`,
      RABBITMQ_MNESIA_BASE: folder,
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_LOGS: '-',
      RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
      RABBITMQ_CONFIG_FILE: `${folder}/rabbitmq`,
      // Its script becomes the server, so that a signal reaches that.
      RUNNING_UNDER_SYSTEMD: 'true',
    }
    // Erlang's register of names: the server would start one that stays when it ends.
    const register = await findProgram(['epmd'])
    if (!register) throw new Error('RabbitMQ needs epmd, which comes with Erlang, in PATH.')
    const names = await launch(register, ['-port', `${namesPort}`, '-address', '127.0.0.1'], namesPort)
    const stop = (child: typeof names) => end(child).then(() => end(names))
    try {
      const child = await launch(program, [], port, env)
      return { url: `amqp://127.0.0.1:${port}`, pid: child.pid, stop: () => stop(child) }
    } catch (error) {
      await end(names)
      throw error
    }
  },
}
