/** The schemas of a namespace, in Redis: versions by topic, and every schema by its fingerprint. */
import { BuswayError } from '@busway/bus'
import type { Codec } from '../codec/codec.js'
import { parseSchema } from '../schema/parse.js'
import { type Compatibility, incompatibility, versionsChecked } from './compatibility-mode.js'
import { PAGE, REGISTRY_TOPIC, type Registered, type RegistryScripts } from './scripts.js'

/** One version of a topic's schema. */
export interface SchemaVersion {
  /** From 1, without gaps. */
  readonly version: number
  /** CRC-64-AVRO, little-endian as in a message, as hexadecimal digits. */
  readonly fingerprint: string
  /** As JSON. */
  readonly schema: string
}

/** What became of a registration. */
export interface Registration {
  /** An earlier one if it was registered before. */
  readonly version: number
  /** What its successors are compared by. */
  readonly mode: Compatibility
  /** The mode that was kept, if this registration has changed it. */
  readonly before?: Compatibility
}

/** Each failed attempt means that somebody else registered a version meanwhile. */
const ATTEMPTS = 1_000

export class Registry {
  readonly #scripts: RegistryScripts

  constructor(scripts: RegistryScripts) {
    this.#scripts = scripts
  }

  /**
   * What it is compared with is read first, and it is registered only if that still is the latest. `named` becomes the topic's mode with it; without,
   * the kept one holds. Rejects with CONFIG_INVALID, saying what is wrong where; then nothing was written.
   */
  async register(topic: string, codec: Codec, named?: Compatibility): Promise<Registration> {
    let checked = ''
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [outcome, detail, mode, before] = await this.#register(topic, codec, checked, named)
      if (outcome === 'known' || outcome === 'registered')
        return { version: Number(detail), mode, ...(before === '' || before === mode ? {} : { before }) }
      if (outcome === 'collision') throw collision(topic, codec, detail)
      checked = `${detail} ${mode}`
      await this.#check(topic, codec, mode, Number(detail))
    }
    throw new BuswayError('CONFIG_INVALID', `Schemas of ${topic} are registered without end; this one got no turn.`)
  }

  /** The newest first, up to `count`, from `from` on. */
  async versions(topic: string, from?: number, count = Number.POSITIVE_INFINITY): Promise<SchemaVersion[]> {
    const found: SchemaVersion[] = []
    for (let next = from; found.length < count && next !== 0; ) {
      const page = Math.min(PAGE, count - found.length)
      const reply = (
        await this.#scripts.versions(REGISTRY_TOPIC, topic, next === undefined ? '' : `${next}`, page)
      ).map(String)
      if (reply.length === 0) break
      for (let i = 0; i < reply.length; i += 2) found.push(versionOf(Number(reply[i]), reply[i + 1] as string))
      next = (found.at(-1) as SchemaVersion).version - 1
    }
    return found
  }

  /** The full text of the schema with this fingerprint; `undefined` if there is none. */
  async schema(fingerprint: string): Promise<string | undefined> {
    const stored = await this.#scripts.schema(REGISTRY_TOPIC, fingerprint)
    return stored === null || stored === undefined ? undefined : textOf(String(stored))
  }

  /** `undefined` if nobody has named one. */
  async mode(topic: string): Promise<Compatibility | undefined> {
    const kept = await this.#scripts.mode(REGISTRY_TOPIC, topic)
    return kept === null || kept === undefined ? undefined : (String(kept) as Compatibility)
  }

  async #register(topic: string, codec: Codec, checked: string, named = ''): Promise<Registered> {
    const { canonical, text } = codec
    const fingerprint = codec.fingerprint.toString('hex')
    const reply = await this.#scripts.register(REGISTRY_TOPIC, topic, fingerprint, canonical, text, checked, named)
    return reply.map(String) as unknown as Registered
  }

  async #check(topic: string, codec: Codec, mode: Compatibility, latest: number): Promise<void> {
    const problems: string[] = []
    for (const { version, schema } of await this.versions(topic, latest, Math.min(latest, versionsChecked(mode)))) {
      const problem = incompatibility(mode, codec.node, parseSchema(JSON.parse(schema)), `version ${version}`)
      if (problem !== undefined) problems.push(problem)
    }
    if (problems.length > 0) throw incompatible(topic, mode, problems)
  }
}

const incompatible = (topic: string, mode: Compatibility, problems: readonly string[]): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `The schema of ${topic} is not ${mode} compatible: ${problems.join('; ')}. Give new fields defaults, or use a new topic; nothing was registered.`,
    { details: { topic, compatibility: mode, problems } },
  )

const collision = (topic: string, codec: Codec, stored: string): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `The schema of ${topic} has the fingerprint ${codec.fingerprint.toString('hex')}, as another has: ${stored.slice(0, 200)}. Rename one of its types; nothing was registered.`,
    { details: { topic } },
  )

const textOf = (stored: string): string => stored.slice(stored.indexOf('\n') + 1)

function versionOf(version: number, entry: string): SchemaVersion {
  const space = entry.indexOf(' ')
  return { version, fingerprint: entry.slice(0, space), schema: entry.slice(space + 1) }
}
