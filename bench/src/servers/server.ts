/** A server that a peer needs instead of Redis: found where it is installed, never installed, and run as long as the bench runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ServerKind {
  /** The line that installs it on Debian. */
  readonly install: string
  /** What it is called where it is installed, the best first. */
  readonly programs: readonly string[]
  /** Where its peer's processes, children of the bench, read its URL (with `_URL`) and its process (`_PID`). */
  readonly variable: string
  /** Resolves when it takes connections. All its files are in the folder. */
  start(program: string, folder: string): Promise<RunningServer>
}

export interface RunningServer {
  readonly url: string
  readonly pid: number | undefined
  stop(): Promise<void>
}

/** The first of the programs that is there: in PATH, or where servers are that are not in everybody's PATH. */
export async function findProgram(
  programs: readonly string[],
  path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/usr/local/sbin`,
): Promise<string | undefined> {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  for (const program of programs)
    for (const file of program.startsWith('/') ? [program] : folders.map((folder) => join(folder, program)))
      if (await isExecutable(file)) return file
  return undefined
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

const START_TIMEOUT_MS = 60_000
const CHECK_MS = 50

/** Starts a program that listens at the port sooner or later. It ends with this process, if that ends by itself. */
export async function launch(
  program: string,
  args: readonly string[],
  port: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ChildProcess> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const listen = (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2_000)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  let failure: Error | undefined
  child.once('error', (error) => {
    failure = error
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))

  const untilMs = performance.now() + START_TIMEOUT_MS
  while (!(await isListening(port))) {
    if (failure || child.exitCode !== null || performance.now() > untilMs) {
      kill()
      await closed
      throw new Error(`${program} could not be started: ${failure?.message ?? said}`)
    }
    await sleep(CHECK_MS)
  }
  return child
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('No port.')),
      )
    })
  })
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    const say = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => say(true)).once('error', () => say(false))
  })
}
