/** Where the command finds schemas: a module that exports topics, a folder of files, a registry in Redis. All by topic, the newest version first. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createBus, type TopicDefinition } from '@busway/bus'
import { codecOf } from '../avro.js'
import { Codec } from '../codec/codec.js'
import { schema } from '../plugin.js'
import type { Compatibility } from '../registry/compatibility-mode.js'
import { SchemaError } from '../schema/parse.js'

/** One version of a topic's schema. */
export interface Version {
  readonly version: number
  readonly codec: Codec
}

/** The newest version first, and what the next is compared by where that is known. */
export interface Subject {
  readonly versions: readonly Version[]
  readonly mode?: Compatibility
}

/** What is wrong with what the command was given; told without a stack. */
export class CommandError extends Error {}

/** What there is of these topics, or of all that are there. */
export type Source = (topics?: readonly string[]) => Promise<ReadonlyMap<string, Subject>>

/** A URL of Redis, a folder, or a module. Throws CommandError for what is none of them. */
export async function sourceOf(place: string, namespace: string): Promise<Source> {
  if (/^rediss?(\+cluster)?:\/\//.test(place)) return registry(place, namespace)
  const path = resolve(place)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new CommandError(`${place} is not there: name a folder, a module, or redis://...`)
  return found.isDirectory() ? folder(path) : modules(path)
}

/** `<topic>.avsc` is the latest version, `<topic>@<number>.avsc` an earlier one. */
const folder =
  (path: string): Source =>
  async () => {
    const found = new Map<string, Version[]>()
    for (const file of (await readdir(path)).sort()) {
      const [, topic, number] = /^(.+?)(?:@(\d+))?\.avsc$/.exec(file) ?? []
      if (topic === undefined) continue
      const where = join(path, file)
      const version = {
        version: Number(number ?? Number.POSITIVE_INFINITY),
        codec: parsed(await readFile(where, 'utf8'), where),
      }
      found.set(topic, [...(found.get(topic) ?? []), version])
    }
    for (const versions of found.values()) versions.sort((a, b) => b.version - a.version)
    return new Map([...found].map(([topic, versions]) => [topic, { versions }]))
  }

/** Whatever it exports that `defineTopics` made. */
const modules =
  (path: string): Source =>
  async () => {
    const exported = (await import(pathToFileURL(path).href).catch((cause: Error) => {
      throw new CommandError(`${path} cannot be loaded: ${cause.message}`, { cause })
    })) as Record<string, { definitions?: Record<string, TopicDefinition> } | null>
    const found = new Map<string, Subject>()
    for (const value of Object.values(exported)) {
      for (const [topic, { body }] of Object.entries(value?.definitions ?? {})) {
        const codec = codecOf(body)
        if (codec !== undefined) found.set(topic, { versions: [{ version: Number.POSITIVE_INFINITY, codec }] })
      }
    }
    if (found.size === 0) throw new CommandError(`${path} exports no topics with a body by avro()`)
    return found
  }

const registry =
  (redis: string, namespace: string): Source =>
  async (topics = []) => {
    await using bus = createBus({
      service: 'busway-schema',
      redis,
      namespace,
      publishTimeout: '5s',
      plugins: [schema()],
      logger: false,
    })
    const found = new Map<string, Subject>()
    for (const topic of topics) {
      const versions = await bus.schemas.versions(topic)
      if (versions.length === 0) continue
      found.set(topic, {
        mode: await bus.schemas.compatibility(topic),
        versions: versions.map(({ version, schema: text }) => ({
          version,
          codec: parsed(text, `version ${version} of ${topic}`),
        })),
      })
    }
    return found
  }

function parsed(text: string, where: string): Codec {
  try {
    return new Codec(JSON.parse(text))
  } catch (error) {
    if (!(error instanceof SchemaError) && !(error instanceof SyntaxError)) throw error
    throw new CommandError(`${where} is no schema: ${error.message}`, { cause: error })
  }
}
