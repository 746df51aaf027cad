/** The processes of a chaos run: each with a proxy of its own, started anew when a fault has ended it. */
import { type ChildProcess, fork } from 'node:child_process'
import { deadline } from '../support/deadline.js'
import type { RedisProxy } from '../support/proxy.js'
import { Received } from '../support/received.js'
import type { ProcessCommand, ProcessReport, ProcessSetup } from './process-setup.js'
import type { Site } from './sites/site.js'

export type FleetSetup = Omit<ProcessSetup, 'redis' | 'process' | 'role' | 'clock'>

/** Patience with a process on a machine that does much at once. */
const PATIENCE_MS = 60_000

export class Member {
  readonly reports = new Received<ProcessReport>()
  readonly exited: Promise<void>

  readonly name: string
  readonly role: ProcessSetup['role']
  readonly proxy: RedisProxy
  readonly child: ChildProcess

  constructor(name: string, role: ProcessSetup['role'], proxy: RedisProxy, child: ChildProcess) {
    this.name = name
    this.role = role
    this.proxy = proxy
    this.child = child
    child.on('message', (report: ProcessReport) => this.reports.add(report))
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()))
  }

  get pid(): number {
    return this.child.pid as number
  }
  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }
  tell(command: ProcessCommand): void {
    if (this.child.connected) this.child.send(command)
  }
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.isRunning) process.kill(this.pid, signal)
  }
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await deadline(this.exited, PATIENCE_MS, () => `the end of ${this.name}`)
    await this.proxy.close()
  }
  /** In an orderly way. */
  async close(): Promise<void> {
    this.tell('close')
    await deadline(this.exited, PATIENCE_MS, () => `${this.name} to close`)
    await this.proxy.close()
  }
  /** Why it ended by itself, if it did. */
  get failure(): string | undefined {
    for (const report of this.reports.items) if (typeof report === 'object') return report.failed
    return undefined
  }
}

export class Fleet {
  readonly members: Member[] = []
  #started = 0

  readonly #site: Site
  readonly #setup: FleetSetup

  constructor(site: Site, setup: FleetSetup) {
    this.#site = site
    this.#setup = setup
  }

  of(role: ProcessSetup['role']): Member[] {
    return this.members.filter((member) => member.role === role && member.isRunning)
  }

  /** Resolves when it publishes, or all its subscriptions are ready. `preload`: a module that it loads before anything else. */
  async start(role: ProcessSetup['role'], preload?: URL): Promise<Member> {
    const number = ++this.#started
    const name = `${role}-${number}`
    const proxy = await this.#site.proxy()
    const setup: ProcessSetup = {
      ...this.#setup,
      seed: this.#setup.seed + number,
      role,
      process: name,
      redis: proxy.redis,
      clock: this.#site.clock(),
    }
    const child = fork(new URL('./process-main.ts', import.meta.url), {
      execArgv: ['--import', 'tsx', ...(preload ? ['--import', preload.href] : [])],
      env: { ...process.env, BUSWAY_CHAOS: JSON.stringify(setup) },
    })
    const member = new Member(name, role, proxy, child)
    this.members.push(member)
    const ready = member.reports.until(([first]) => first !== undefined, `${name} to be ready`, PATIENCE_MS)
    await Promise.race([ready, member.exited])
    ready.catch(() => {})
    if (member.reports.items.length === 0) throw new Error(`${name} ended before it was ready`)
    if (member.failure !== undefined) throw new Error(`${name} failed: ${member.failure}`)
    return member
  }

  async killAll(): Promise<void> {
    for (const member of this.members) await member.kill()
  }
}
