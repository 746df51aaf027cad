/** Makes the connections of a bus, for one server or for a cluster: which of the two is known here, and nowhere else. */
import type { BuswayError } from '../errors/busway-error.js'
import type { RedisAddress } from './address.js'
import type { BusRunner } from './bus-runner.js'
import { type Channels, ServerChannels } from './channels.js'
import { ClusterChannels } from './cluster-channels.js'
import { ClusterRunner } from './cluster-runner.js'
import { Runner } from './runner.js'
import { type PluginLua, Scripts } from './scripts.js'
import { Topology } from './topology.js'

export interface ConnectionsSettings {
  readonly address: RedisAddress
  readonly namespace: string
  readonly hangMs: number
  /** For scripts that may run twice. */
  readonly timeoutMs: number
  /** Asked at the first connection, when all plugins are there. */
  readonly lua: () => PluginLua
  /** As CLIENT LIST shows the first; the others have something behind it. */
  readonly name: string
}

type OnDown = (error: Error, problem: BuswayError | undefined) => void

export interface RunnerEvents {
  readonly onWarning: (message: string) => void
  readonly onUp: () => void
  readonly onDown: OnDown
}

export class Connections {
  readonly #settings: ConnectionsSettings
  readonly #scripts: Scripts
  readonly #topology: Topology | undefined

  constructor(settings: ConnectionsSettings) {
    const { address, name, lua } = settings
    this.#settings = settings
    if (address.cluster !== undefined) this.#topology = new Topology(address, name)
    this.#scripts = new Scripts(lua, address.cluster !== undefined)
  }

  /** `suffix`: of its name. */
  runner(suffix: string, events: RunnerEvents): BusRunner {
    const { name, lua: _, ...settings } = this.#settings
    const own = { ...settings, ...events, scripts: this.#scripts, name: name + suffix }
    return this.#topology === undefined ? new Runner(own) : new ClusterRunner(own, this.#topology)
  }

  channels(suffix: string, onDown: OnDown): Channels {
    const { address, name, hangMs } = this.#settings
    const settings = { address, name: name + suffix, hangMs, onDown }
    return this.#topology === undefined ? new ServerChannels(settings) : new ClusterChannels(settings, this.#topology)
  }

  /** When all are closed, and with them. */
  close(): void {
    this.#topology?.close()
  }
}
