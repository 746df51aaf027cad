import { expect } from 'chai'
import { decodeBody, decodeWith } from '../../packages/bus/src/consume/body-decoder.js'
import type { BuswayError } from '../../packages/bus/src/errors/index.js'
import { batch, type Content, heldRange } from './held.js'

const range = (contents: Content[]) => heldRange({ count: contents.length, value: batch(contents) })
const fault = (decode: () => unknown): BuswayError => {
  try {
    decode()
  } catch (error) {
    return error as BuswayError
  }
  throw new Error('decoded')
}

describe('a body', () => {
  it('is parsed with the others of its range', () => {
    const held = range([{ body: '{"a":1}' }, { body: 'null' }, { body: '"x"' }])
    expect([0, 1, 2].map((index) => decodeBody(held, index))).to.deep.equal([{ a: 1 }, null, 'x'])
  })

  it('that is no JSON fails alone, and tells nothing of its text', () => {
    const held = range([{ body: '1' }, { body: 'secret' }, { body: '3' }])
    expect([decodeBody(held, 0), decodeBody(held, 2)]).to.deep.equal([1, 3])
    const error = fault(() => decodeBody(held, 1))
    expect(error).to.have.property('code', 'UNDECODABLE')
    expect(JSON.stringify([error.message, String(error.cause)])).to.not.contain('secret')
  })

  it('with headers is parsed by itself', () => {
    const held = range([{ body: '1', headers: { a: 'b' } }, { body: '2' }])
    expect([decodeBody(held, 0), decodeBody(held, 1)]).to.deep.equal([1, 2])
  })

  it('of bytes is bytes', () => {
    const held = range([{ body: new Uint8Array([1, 44, 2]), contentType: 'application/octet-stream' }])
    expect(Buffer.from(decodeBody(held, 0) as Uint8Array)).to.deep.equal(Buffer.from([1, 44, 2]))
  })

  it('of a content type that nothing here knows cannot be decoded', () => {
    const held = range([{ body: new Uint8Array([1]), contentType: 'application/avro' }])
    expect(fault(() => decodeBody(held, 0)).message).to.contain('application/avro')
  })

  it('is what a plugin makes of it, given what the kernel makes of it', async () => {
    const stored = { topic: 'a', id: '1', headers: {}, contentType: 'application/json', body: Buffer.from('[1]') }
    const decoded = await decodeWith(async (_encoded, bytes) => ({ from: await bytes() }), stored)
    expect(decoded).to.deep.equal({ from: [1] })
  })

  it('of an envelope that is none cannot be decoded, nor one that Redis has lost', () => {
    for (const value of [Buffer.from('nonsense'), null, batch([{ body: '1' }, { body: '2' }])]) {
      const held = heldRange({ value })
      expect(fault(() => decodeBody(held, 0))).to.have.property('code', 'UNDECODABLE')
      expect(fault(() => decodeBody(held, 0))).to.have.property('code', 'UNDECODABLE')
    }
  })
})
