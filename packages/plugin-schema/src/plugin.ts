/** The plugin: registers at the start, encodes what is published, decodes what is consumed. */
import {
  BuswayError,
  type Plugin,
  type PublishBatch,
  type Scope,
  type StandardIssue,
  type StandardSchemaV1,
} from '@busway/bus'
import { codecOf } from './avro.js'
import { BodyError } from './codec/bounds.js'
import { type Codec, fingerprintIn, type Reader } from './codec/codec.js'
import { lostInJson } from './codec/json.js'
import { issuesOf } from './codec/validate.js'
import { checkOptions, type SchemaOptions } from './options.js'
import { type Compatibility, DEFAULT_MODE } from './registry/compatibility-mode.js'
import { Readers } from './registry/readers.js'
import { Registry, type SchemaVersion } from './registry/registry.js'
import { declareScripts } from './registry/scripts.js'

/** What Avro bodies are marked with. */
export const AVRO_TYPE = 'application/avro'
const JSON_TYPE = 'application/json'
/** The vendor of `type<T>()`, which checks nothing. */
const UNCHECKED = 'busway'

declare module '@busway/bus' {
  interface PluginTypes<T> {
    schema: {
      bus: {
        schemas: {
          /** The versions of a topic's schema that are registered, the newest first. */
          versions(topic: keyof T & string): Promise<SchemaVersion[]>
          /** What its next version will be compared by. */
          compatibility(topic: keyof T & string): Promise<Compatibility>
        }
      }
    }
  }
}

/**
 * Avro bodies for topics that are defined with `avro()`, and every other schema's check where messages are consumed as well.
 *
 * At the start the schemas of this bus' topics are registered; one that is not compatible makes `ready` reject with `CONFIG_INVALID`, saying what is wrong
 * where. A message that cannot be read is a dead letter (`UNDECODABLE`), with why. Throws INVALID_OPTIONS.
 *
 * @example
 * const bus = createBus({ service: 'orders', topics, plugins: [schema({ compatibility: 'FULL' })] })
 */
export function schema(options: SchemaOptions = {}): Plugin<'schema'> {
  const { modeOf, cache } = checkOptions(options)
  return {
    name: 'schema',
    api: 1,
    setup(scope) {
      const registry = new Registry(declareScripts(scope))
      const readers = new Readers((fingerprint) => registry.schema(fingerprint), cache)
      const codec = (topic: string): Codec | undefined => codecOf(definitionOf(scope, topic)?.body)

      scope.publish('encode', (batch, next) => {
        const own = codec(batch.topic)
        if (own !== undefined) encode(own, batch)
        return next()
      })

      const decoded = (topic: string, contentType: string, body: unknown): unknown => {
        if (contentType === AVRO_TYPE && body instanceof Uint8Array) {
          const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
          const own = codec(topic)
          // What most consumers get: it needs no waiting.
          if (own?.wrote(bytes)) return read(topic, own.reader, bytes)
          return readWith(topic, async () => readers.reader(topic, own, fingerprintIn(bytes)), bytes)
        }
        const checked = definitionOf(scope, topic)?.body
        if (contentType !== JSON_TYPE || checked === undefined || checked['~standard'].vendor === UNCHECKED) return body
        return validated(topic, checked, body)
      }
      scope.consume('decode', ({ topic, contentType }, next) =>
        next().then((body) => decoded(topic, contentType, body)),
      )

      scope.ready(async () => {
        checkReplies(scope)
        await Promise.all(
          Object.keys(scope.topics).map(async (topic) => {
            const own = codec(topic)
            if (own === undefined) return
            const { version, mode, before } = await registry.register(topic, own, modeOf(topic))
            scope.log.debug({ topic, version, mode }, 'The schema is registered')
            if (before !== undefined)
              scope.log.warn({ topic, before, mode }, 'The compatibility of its schemas is another from now on')
          }),
        )
      })

      return {
        schemas: {
          async versions(topic: string) {
            await scope.started()
            return registry.versions(topic)
          },
          async compatibility(topic: string) {
            await scope.started()
            return modeOf(topic) ?? (await registry.mode(topic)) ?? DEFAULT_MODE
          },
        },
      }
    },
  }
}

const definitionOf = ({ topics }: Scope, topic: string) => (Object.hasOwn(topics, topic) ? topics[topic] : undefined)

/** Throws CONFIG_INVALID. */
function checkReplies({ topics }: Scope): void {
  for (const [topic, { reply }] of Object.entries(topics)) {
    const codec = codecOf(reply)
    const lost = codec === undefined ? [] : lostInJson(codec.node)
    if (lost.length > 0)
      throw new BuswayError(
        'CONFIG_INVALID',
        `The reply of ${topic} has ${lost.join(', ')}, and replies travel as JSON, which has none of it. Use strings or numbers there.`,
        { details: { topic } },
      )
  }
}

/** Throws INVALID_BODY: the bus has checked what was published, and plugins may have changed it since. */
function encode(codec: Codec, { topic, messages }: PublishBatch): void {
  for (const message of messages) {
    try {
      message.body = codec.encode(message.body)
    } catch {
      // avsc's error shows the value, which must not reach a log.
      throw misfit('INVALID_BODY', topic, issuesOf(codec.node, message.body))
    }
    message.contentType = AVRO_TYPE
  }
}

/** Throws UNDECODABLE for what is wrong with the bytes. */
function read(topic: string, reader: Reader, bytes: Buffer): unknown {
  try {
    return reader(bytes)
  } catch (error) {
    throw unreadable(topic, error)
  }
}

/** Rejects as `read` throws, and with what keeps it from finding the reader. */
async function readWith(topic: string, find: () => Promise<Reader>, bytes: Buffer): Promise<unknown> {
  try {
    return (await find())(bytes)
  } catch (error) {
    throw unreadable(topic, error)
  }
}

function unreadable(topic: string, error: unknown): BuswayError {
  if (error instanceof BuswayError) return error
  const why = error instanceof BodyError ? error.message : 'it could not be read'
  return new BuswayError('UNDECODABLE', `The body on ${topic} is not the Avro that it says: ${why}`, {
    cause: error,
    details: { topic },
  })
}

async function validated(topic: string, schema: StandardSchemaV1, body: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(body)
  if (result.issues === undefined) return result.value
  throw misfit('UNDECODABLE', topic, result.issues)
}

function misfit(code: 'INVALID_BODY' | 'UNDECODABLE', topic: string, issues: readonly StandardIssue[]): BuswayError {
  const found = issues.map(({ path = [], message }) => ({ path: pathText(path), message }))
  const shown = found.slice(0, 10).map(({ path, message }) => `${path}: ${message}`)
  const more = found.length > shown.length ? `; and ${found.length - shown.length} more` : ''
  return new BuswayError(
    code,
    `The body on ${topic} does not fit its schema: ${shown.join('; ') || 'it cannot be written'}${more}`,
    {
      details: { topic, issues: found },
    },
  )
}

const pathText = (path: NonNullable<StandardIssue['path']>): string =>
  path.reduce<string>((text, step) => {
    const key = typeof step === 'object' ? step.key : step
    return typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`
  }, 'body')
