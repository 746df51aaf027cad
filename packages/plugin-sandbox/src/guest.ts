/** The guest's side of a run: loads the module once, gives the handler a context that speaks with the host, and tells how it ended. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Logger } from '@busway/bus'
import { readError, writeError } from './errors.js'
import type { Channel, Ending, FromGuest, FromHost, Task } from './protocol.js'
import { within } from './trace.js'
import type { SandboxContext, SandboxHandler, SandboxMessage, SandboxModule } from './types.js'

interface Loaded {
  readonly run: SandboxHandler
  readonly close: (() => unknown) | undefined
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
const loaded = new Map<string, Promise<Loaded>>()

/** Never rejects. */
export async function runTask(task: Task, channel: Channel<FromGuest, FromHost>): Promise<Ending> {
  try {
    const { run } = await load(task.url)
    channel.send({ started: true })
    const context = new GuestContext(task, channel)
    const result = await within(task.carrier, () => run(task.message as unknown as SandboxMessage, context.asContext()))
    return { result }
  } catch (error) {
    return { error: writeError(error) }
  }
}

/** Never rejects. */
export async function closeModules(): Promise<void> {
  for (const module of loaded.values()) {
    try {
      await (await module).close?.()
    } catch {
      // It is being ended in any case.
    }
  }
}

function load(url: string): Promise<Loaded> {
  const known = loaded.get(url)
  if (known !== undefined) return known
  const module = loadAndOpen(url)
  loaded.set(url, module)
  // What could not be opened may be for the next message.
  module.catch(() => loaded.delete(url))
  return module
}

async function loadAndOpen(url: string): Promise<Loaded> {
  const { default: given } = await importModule(url)
  // A CommonJS module under its namespace.
  const module = typeof given === 'object' && given !== null && 'default' in given ? given.default : given
  if (typeof module === 'function') return { run: module as SandboxHandler, close: undefined }
  if (!isModule(module))
    throw new TypeError(
      `${url} exports no handler: its default export is a function, or an object with run(message, context).`,
    )
  await module.open?.()
  return {
    run: (message, context) => module.run(message, context),
    close: module.close === undefined ? undefined : () => module.close?.(),
  }
}

const isModule = (module: unknown): module is Exclude<SandboxModule, SandboxHandler> =>
  typeof module === 'object' && module !== null && typeof (module as { run?: unknown }).run === 'function'

/** Node reads TypeScript by itself from 22.18 on; before, a thread has no loader of the program's. */
async function importModule(url: string): Promise<{ readonly default?: unknown }> {
  try {
    return await import(url)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error
    const tsx = await tsxFor(url)
    if (tsx === undefined) throw error
    return tsx.tsImport(url, import.meta.url)
  }
}

async function tsxFor(url: string): Promise<{ tsImport(url: string, parent: string): Promise<object> } | undefined> {
  try {
    // What `require` is given has an ES module beside it, which alone can register loaders.
    const path = createRequire(url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs')
    return await import(pathToFileURL(path).href)
  } catch {
    return undefined
  }
}

class GuestContext {
  readonly #task: Task
  readonly #channel: Channel<FromGuest, FromHost>
  readonly #controller = new AbortController()
  readonly #calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #lastCall = 0

  constructor(task: Task, channel: Channel<FromGuest, FromHost>) {
    this.#task = task
    this.#channel = channel
    if (task.isAborted) this.#controller.abort()
    channel.listen((message) => this.#heard(message))
  }

  asContext(): SandboxContext {
    const { group, values, functions } = this.#task
    const added = functions.map((name) => [name, (...args: unknown[]) => this.#call(name, args)] as const)
    return {
      ...values,
      ...Object.fromEntries(added),
      group,
      signal: this.#controller.signal,
      log: this.#logger({}),
      publish: (...args) => this.#call('publish', args) as Promise<void>,
      progress: (progress) => this.#channel.send({ progress }),
    }
  }

  #call(name: string, args: readonly unknown[]): Promise<unknown> {
    const call = ++this.#lastCall
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject })
      this.#channel.send({ call, name, args })
    })
  }

  #heard(message: FromHost): void {
    if ('abort' in message) {
      this.#controller.abort(readError(message.abort))
      return
    }
    const call = this.#calls.get(message.answer)
    this.#calls.delete(message.answer)
    if ('error' in message) call?.reject(readError(message.error))
    else call?.resolve(message.value)
  }

  #logger(bindings: Record<string, unknown>): Logger {
    const write = (level: string) => (fields: unknown, message?: string) =>
      this.#channel.send({
        log: level,
        bindings,
        args: message === undefined ? [plain(fields)] : [plain(fields), message],
      })
    const [trace, debug, info, warn, error, fatal] = LEVELS.map(write)
    const child = (more: Record<string, unknown>) => this.#logger({ ...bindings, ...more })
    return { level: 'trace', trace, debug, info, warn, error, fatal, child } as Logger
  }
}

/** What can be cloned; an error by its text, wherever it is. */
function plain(fields: unknown): unknown {
  if (fields instanceof Error) return { err: writeError(fields) }
  if (typeof fields !== 'object' || fields === null) return fields
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? writeError(value) : value]),
  )
}
