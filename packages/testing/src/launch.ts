import { basename } from 'node:path'
import { run } from './run.js'
import type { RedisServerProgram } from './sources/source.js'

/** How a server is started, and how its process is told to stop, go on or end. */
export interface Launch {
  command: string
  args: string[]
  /** What the watcher runs besides killing the process, if the program that started the server is gone. */
  atEnd?: string[]
  signal(pid: number, signal: Signal): Promise<void>
}

export type Signal = 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'

interface Place {
  dir: string
  port: number
  socket: string | undefined
  config: string[]
}

/** The launch of a server, for each kind of program. */
export function launchOf(program: RedisServerProgram, place: Place): Launch {
  return program.source === 'docker' ? dockerLaunch(program, place) : processLaunch(program, place)
}

function processLaunch({ command }: RedisServerProgram, { dir, port, socket, config }: Place): Launch {
  const listen = ['--bind', '127.0.0.1', '--port', String(port), '--unixsocket', String(socket)]
  // A file comes before all options.
  const file = config[0]?.startsWith('--') === false ? [config[0]] : []
  return {
    command,
    args: [...file, ...listen, '--dir', dir, ...config.slice(file.length)],
    async signal(pid, signal) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        // It ended a moment ago, which is what was wanted or will be noticed.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    },
  }
}

/** The container runs in the foreground, so that its end is the end of the client's process. */
function dockerLaunch({ command, image = '' }: RedisServerProgram, { dir, port, config }: Place): Launch {
  const name = basename(dir)
  const user = process.getuid ? ['--user', `${process.getuid()}:${process.getgid?.()}`] : []
  const container = ['--rm', '--name', name, ...user, '-v', `${dir}:/data`, '-p', `127.0.0.1:${port}:6379`]
  const listen = ['--port', '6379', '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', '/data']
  const verbs = { SIGTERM: 'stop', SIGKILL: 'kill', SIGSTOP: 'pause', SIGCONT: 'unpause' } as const
  return {
    command,
    args: ['run', ...container, image, 'redis-server', ...listen, ...config],
    atEnd: [command, 'rm', '-f', name],
    async signal(_pid, signal) {
      await run(command, [verbs[signal], name])
    },
  }
}
