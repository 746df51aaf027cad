import type { BuswayError } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeBatch, encodeBatch, encodeProperties } from '../../packages/bus/src/wire/index.js'
import { messages, properties } from './batches.js'

/** Reads all that a consumer would read. Anything but a value or UNDECODABLE is a fault. */
function readAll(bytes: Buffer): 'decoded' | 'refused' {
  try {
    const envelope = decodeBatch(bytes)
    for (let i = 0; i < envelope.count; i++) {
      envelope.body(i)
      envelope.expiresAtMs(i)
      envelope.extra(i)
    }
    if (envelope.isPlain) envelope.parseAll()
    return 'decoded'
  } catch (error) {
    if ((error as { code?: unknown }).code === 'UNDECODABLE') return 'refused'
    throw error
  }
}

const refusedBytes = (bytes: Buffer): string => {
  try {
    decodeBatch(bytes)
  } catch (error) {
    expect(error).to.have.property('code', 'UNDECODABLE')
    return (error as BuswayError).message
  }
  throw new Error('it was decoded')
}

describe('bytes that are no batch', () => {
  it('are refused or read, never more: 10,000 mutated batches', function () {
    this.timeout(60_000)
    const outcomes = { decoded: 0, refused: 0 }
    const mutation = fc.record({
      at: fc.nat(),
      value: fc.nat(255),
      kind: fc.constantFrom('set', 'set', 'cut', 'grow', 'big'),
    })
    fc.assert(
      fc.property(
        properties,
        messages,
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (said, batch, mutations) => {
          let bytes = encodeBatch(1, encodeProperties(said), batch)
          for (const { at, value, kind } of mutations) {
            const place = at % bytes.length
            if (kind === 'cut') bytes = Buffer.from(bytes.subarray(0, Math.max(1, place)))
            else if (kind === 'grow') bytes = Buffer.concat([bytes, Buffer.alloc(1 + (value % 9), value)])
            else if (kind === 'big' && place + 4 <= bytes.length) bytes.writeUInt32LE(0xffffffff, place)
            else bytes[place] = value
          }
          outcomes[readAll(bytes)]++
        },
      ),
      { numRuns: 10_000 },
    )
    expect(outcomes.decoded + outcomes.refused).to.equal(10_000)
    expect(outcomes.refused).to.be.greaterThan(1_000)
  })

  it('are refused when they are random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readAll(Buffer.from(bytes))
      }),
      { numRuns: 2_000 },
    )
  })

  it('are refused with what is wrong', () => {
    const good = encodeBatch(1, encodeProperties({ source: 's' }), [
      { body: '1', bodyBytes: 1, type: undefined, contentType: undefined, headers: undefined },
    ])
    const changed = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      return bytes
    }
    expect(refusedBytes(Buffer.alloc(0))).to.include('0 bytes')
    expect(refusedBytes(changed(0, 2))).to.include('version')
    expect(refusedBytes(changed(1, 4))).to.include('flags')
    expect(refusedBytes(changed(2, 0))).to.include('no message')
    expect(refusedBytes(changed(2, 200))).to.include('tables')
    expect(refusedBytes(changed(12, 9))).to.include('property')
    expect(refusedBytes(changed(12, 200))).to.include('who published')
    expect(refusedBytes(changed(good.length - 1, 0x20))).to.include('body does not end')
    expect(refusedBytes(Buffer.concat([good, Buffer.from(',')]))).to.include('tables say')
  })

  it('are refused where a body is several JSON texts', () => {
    const bytes = encodeBatch(1, encodeProperties({ source: 's' }), [
      { body: '1,2', bodyBytes: 3, type: undefined, contentType: undefined, headers: undefined },
    ])
    expect(() => decodeBatch(bytes).parseAll()).to.throw('not one JSON text')
  })

  it('cannot put anything on a prototype', () => {
    const bytes = encodeBatch(1, encodeProperties({ source: 's' }), [
      { body: '1', bodyBytes: 1, type: undefined, contentType: undefined, headers: JSON.parse('{"__proto__":"x"}') },
    ])
    const { headers } = decodeBatch(bytes).extra(0)
    expect(Object.keys(headers)).to.deep.equal(['__proto__'])
    expect(Object.getPrototypeOf(headers)).to.equal(Object.prototype)
  })
})
