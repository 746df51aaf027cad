import { expect } from 'chai'
import fc from 'fast-check'
import {
  decodeBatch,
  type Envelope,
  encodeBatch,
  encodeProperties,
  JSON_TYPE,
  type WireMessage,
} from '../../packages/bus/src/wire/index.js'
import { cut, messages, properties } from './batches.js'

const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })

function expectMessages(envelope: Envelope, expected: readonly WireMessage[]): void {
  expect(envelope.count).to.equal(expected.length)
  expected.forEach((message, i) => {
    expect(envelope.body(i).equals(Buffer.from(message.body as string))).to.equal(true)
    expect(envelope.expiresAtMs(i)).to.equal(message.expiresAtMs ?? 0)
    const extra = envelope.extra(i)
    expect(extra.type).to.equal(message.type)
    expect(extra.contentType).to.equal(message.contentType)
    expect(Object.entries(extra.headers)).to.have.deep.members(Object.entries(message.headers ?? {}))
    expect(envelope.contentType(i)).to.equal(message.contentType ?? JSON_TYPE)
  })
}

describe('an encoded batch', () => {
  it('decodes to what went in, whatever that was', () => {
    fc.assert(
      fc.property(time, properties, messages, (timeMs, said, batch) => {
        const envelope = decodeBatch(encodeBatch(timeMs, encodeProperties(said), batch))
        expect(envelope.timeMs).to.equal(timeMs)
        expect(envelope).to.deep.include({
          key: undefined,
          id: undefined,
          keepResultMs: undefined,
          reportTo: undefined,
          priority: 0,
          owns: [],
          ...said,
        })
        expectMessages(envelope, batch)
      }),
    )
  })

  it('can be cut anywhere, and a slice cut again', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(), fc.nat(), (batch, a, b, c) => {
        const whole = encodeBatch(1, encodeProperties({ source: 's' }), batch)
        const from = a % batch.length
        const count = 1 + (b % (batch.length - from))
        const slice = cut(whole, from, count)
        expectMessages(decodeBatch(slice), batch.slice(from, from + count))
        const at = c % count
        expectMessages(decodeBatch(cut(slice, at, 1)), batch.slice(from + at, from + at + 1))
      }),
    )
  })

  it('of JSON bodies is one parse', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 20 }), (bodies) => {
        const texts = bodies.map((body) => JSON.stringify(body))
        const batch = texts.map((body) => ({
          body,
          bodyBytes: Buffer.byteLength(body),
          type: undefined,
          contentType: undefined,
          headers: undefined,
        }))
        const envelope = decodeBatch(encodeBatch(1, encodeProperties({ source: 's' }), batch))
        expect(envelope.parseAll()).to.deep.equal(texts.map((body) => JSON.parse(body)))
      }),
    )
  })
})
