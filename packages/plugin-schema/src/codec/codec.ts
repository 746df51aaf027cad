/** Bodies to bytes and back, by avsc: the single-object encoding of the Avro specification, C3 01, the schema's fingerprint, the value. */
import type avsc from 'avsc'
import { conflicts, describeConflicts } from '../schema/compatibility.js'
import { fingerprintOf } from '../schema/fingerprint.js'
import type { Node } from '../schema/node.js'
import { parseSchema, SchemaError } from '../schema/parse.js'
import { canonicalText, fullText } from '../schema/text.js'
import { typeOf } from './avsc-type.js'
import { BodyError, checkBounds } from './bounds.js'
import { type Conversion, fromAvsc, toAvsc } from './convert.js'
import { type Fits, fitsOf } from './fits.js'

export const HEADER_BYTES = 10
const MAGIC = Buffer.from([0xc3, 0x01])
/** What most bodies fit into; larger ones are written twice. */
const SCRATCH = Buffer.allocUnsafe(64 * 1024)

/** Reads what one schema wrote. Throws BodyError. */
export type Reader = (body: Buffer) => unknown

/** A schema with all that follows from it. */
export class Codec {
  readonly node: Node
  /** The Parsing Canonical Form. */
  readonly canonical: string
  /** What is kept in the registry: the same schema always gives the same text. */
  readonly text: string
  /** CRC-64-AVRO of the canonical form, little-endian. */
  readonly fingerprint: Buffer
  /** `false`: it is for `issuesOf` to say. */
  readonly fits: Fits
  readonly #header: Buffer
  readonly #type: avsc.Type
  readonly #toAvsc: Conversion | undefined
  readonly #fromAvsc: Conversion | undefined
  #reader: Reader | undefined

  /** Throws SchemaError. */
  constructor(schema: unknown) {
    this.node = parseSchema(schema)
    this.fits = fitsOf(this.node)
    this.canonical = canonicalText(this.node)
    this.text = fullText(this.node)
    this.fingerprint = fingerprintOf(this.canonical)
    this.#header = Buffer.concat([MAGIC, this.fingerprint])
    this.#type = avscType(this.text)
    this.#toAvsc = toAvsc(this.node)
    this.#fromAvsc = fromAvsc(this.node)
  }

  /** Of a value that fits. Throws avsc's errors otherwise. */
  encode(value: unknown): Buffer {
    const given = this.#toAvsc === undefined ? value : this.#toAvsc(value)
    SCRATCH.set(this.#header)
    const end = this.#type.encode(given, SCRATCH, HEADER_BYTES)
    if (end > 0) {
      const body = Buffer.allocUnsafe(end)
      SCRATCH.copy(body, 0, 0, end)
      return body
    }
    return Buffer.concat([this.#header, this.#type.toBuffer(given)])
  }

  /** Whether the body says that it is of this schema. */
  wrote(body: Buffer): boolean {
    return body.byteLength >= HEADER_BYTES && this.#header.compare(body, 0, HEADER_BYTES) === 0
  }

  /** Of what this schema wrote. */
  get reader(): Reader {
    this.#reader ??= this.readerOf(this)
    return this.#reader
  }

  /** Throws SchemaError, saying what of the writer's schema can't be read. */
  readerOf(writer: Codec): Reader {
    const isSame = writer.text === this.text
    if (!isSame) {
      const found = conflicts(this.node, writer.node)
      if (found.length > 0) throw new SchemaError(describeConflicts(found))
    }
    const resolver = isSame ? undefined : this.#type.createResolver(writer.#type)
    return (body) => {
      checkBounds(writer.node, body, HEADER_BYTES)
      const value = this.#read(body, resolver)
      return this.#fromAvsc === undefined ? value : this.#fromAvsc(value)
    }
  }

  /** Of bytes that are within bounds. Throws BodyError, without avsc's messages, which show the value. */
  #read(body: Buffer, resolver: ReturnType<avsc.Type['createResolver']> | undefined): unknown {
    let read: ReturnType<avsc.Type['decode']>
    try {
      read = this.#type.decode(body, HEADER_BYTES, resolver)
    } catch (error) {
      const { message } = error as Error
      throw new BodyError(message === 'potential precision loss' ? message : 'avsc refused it')
    }
    if (read.offset !== body.length) throw new BodyError(read.offset < 0 ? 'truncated buffer' : 'trailing data')
    return read.value
  }
}

/** The schema of the body by its fingerprint, as hexadecimal digits. Throws BodyError. */
export function fingerprintIn(body: Uint8Array): string {
  if (body.byteLength < HEADER_BYTES || body[0] !== MAGIC[0] || body[1] !== MAGIC[1])
    throw new BodyError('it does not begin with C3 01 and a fingerprint')
  return Buffer.from(body.buffer, body.byteOffset + MAGIC.length, HEADER_BYTES - MAGIC.length).toString('hex')
}

function avscType(text: string): avsc.Type {
  try {
    return typeOf(text)
  } catch (error) {
    throw new SchemaError((error as Error).message)
  }
}
