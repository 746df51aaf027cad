import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../services-example/dist/main.js', import.meta.url))

/** The example as a program of its own. */
export class Program {
  readonly process: ChildProcess
  #output = ''

  constructor(args: string[], env: NodeJS.ProcessEnv) {
    this.process = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (part) => {
        this.#output += part
        this.process.emit('output')
      })
  }

  /** Standard output and error so far. */
  get output(): string {
    return this.#output
  }

  /** Resolves once the output matches. Rejects when the program ends without. */
  async says(pattern: RegExp): Promise<void> {
    const ended = this.end().then((code) => {
      if (!pattern.test(this.#output)) throw new Error(`Ended with ${code} and never said ${pattern}:\n${this.#output}`)
    })
    while (!pattern.test(this.#output)) await Promise.race([once(this.process, 'output'), ended])
  }

  /** Its exit code. */
  async end(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'close')
    return this.process.exitCode
  }
}
