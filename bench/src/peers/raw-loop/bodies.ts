/** Batches whose bytes are ready before they are needed: of each body only its number and time are written anew, as digits. */
import { decodeBatch, encodeBatch, encodeProperties } from '../../../../packages/bus/dist/wire/index.js'
import { type Body, makeBody } from '../../body.js'

const SAMPLE = JSON.stringify(makeBody(0))
const N = placeOf('n')
const SENT_AT = placeOf('sentAt')
const ZERO = 0x30
const PROPERTIES = encodeProperties({ source: 'orders' })

/** A batch of messages that is written over and over, its bodies as long as those that it begins with. */
export class ReusableBatch {
  readonly bytes: Buffer
  readonly #bodies: Buffer[]

  constructor(bodies: readonly Body[]) {
    const messages = bodies.map((each) => {
      const body = JSON.stringify(each)
      return { body, bodyBytes: body.length, type: undefined, contentType: undefined, headers: undefined }
    })
    this.bytes = encodeBatch(Date.now(), PROPERTIES, messages)
    const envelope = decodeBatch(this.bytes)
    this.#bodies = messages.map((_, i) => envelope.body(i))
  }

  /** Makes message `i` of it that body. */
  write(i: number, { n, sentAt }: Pick<Body, 'n' | 'sentAt'>): void {
    const body = this.#bodies[i] as Buffer
    writeDigits(body, N, n)
    writeDigits(body, SENT_AT, sentAt)
  }
}

/** Of a body's bytes, what scenarios look at, read when they do: a limit parses nothing. */
export class UnparsedBody implements Pick<Body, 'n' | 'sentAt'> {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get n(): number {
    return readDigits(this.#bytes, N)
  }

  get sentAt(): number {
    return readDigits(this.#bytes, SENT_AT)
  }
}

interface Digits {
  from: number
  to: number
}

function placeOf(name: string): Digits {
  const before = `"${name}":`
  const from = SAMPLE.indexOf(before) + before.length
  return { from, to: SAMPLE.indexOf(',', from) }
}

function writeDigits(bytes: Buffer, { from, to }: Digits, value: number): void {
  let left = value
  for (let at = to - 1; at >= from; at--) {
    const tens = Math.floor(left / 10)
    bytes[at] = ZERO + left - tens * 10
    left = tens
  }
}

function readDigits(bytes: Buffer, { from, to }: Digits): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + (bytes[at] as number) - ZERO
  return value
}
