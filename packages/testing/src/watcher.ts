/**
 * A process beside the program that starts servers, and their parent. However the program ends, by itself, by Ctrl-C or by
 * SIGKILL, its end closes the channel between the two, and then the watcher:
 *
 * 1. kills every server,
 * 2. removes every folder,
 * 3. ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WatchMessage, WatchRequest } from './watch-protocol.js'

const folders = new Set<string>()
const servers = new Map<ChildProcess, { atEnd?: string[] }>()

process.on('message', (request: WatchRequest) => {
  try {
    tell({ answer: request.request, ...carryOut(request) })
  } catch (error) {
    tell({ answer: request.request, failed: (error as Error).message })
  }
})
process.on('disconnect', () => {
  if (servers.size === 0) removeFoldersAndExit()
  for (const [server, { atEnd }] of servers) {
    if (atEnd) runAtEnd(atEnd)
    server.kill('SIGKILL')
  }
})
// A Ctrl-C is for the program; what it means for the servers is known when the program has ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

function carryOut(request: WatchRequest): { folder?: string; pid?: number } {
  switch (request.do) {
    case 'make-folder': {
      const folder = mkdtempSync(join(tmpdir(), 'busway-'))
      folders.add(folder)
      return { folder }
    }
    case 'start':
      return { pid: start(request) }
    case 'remove-folder':
      rmSync(request.folder, { recursive: true, force: true })
      folders.delete(request.folder)
      return {}
  }
}

function start({ server: number, folder, command, args, atEnd }: WatchRequest & { do: 'start' }): number {
  const log = openSync(join(folder, 'redis.log'), 'a')
  const server = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log] })
  closeSync(log)
  servers.set(server, atEnd ? { atEnd } : {})
  server.on('error', () => {})
  server.on('close', (code, signal) => {
    servers.delete(server)
    tell({ ended: number, how: signal ? `by ${signal}` : `with code ${code}` })
    if (!process.connected && servers.size === 0) removeFoldersAndExit()
  })
  if (server.pid === undefined) throw new Error(`${command} could not be started`)
  return server.pid
}

function runAtEnd([command = '', ...args]: string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 })
  } catch {}
}

function removeFoldersAndExit(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  process.exit()
}

function tell(message: WatchMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
