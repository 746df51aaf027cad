/** The bytes of docs/wire-format.md, written out by hand: if one of these changes, every client in every language has to. */
import { expect } from 'chai'
import {
  decodeBatch,
  encodeBatch,
  encodeProperties,
  messageId,
  type WireMessage,
} from '../../packages/bus/src/wire/index.js'

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex')
const json = (body: string, rest: Partial<WireMessage> = {}): WireMessage => ({
  body,
  bodyBytes: Buffer.byteLength(body),
  type: undefined,
  contentType: undefined,
  headers: undefined,
  ...rest,
})
/** 2023-11-14T22:13:20Z */
const time = 1_700_000_000_000

describe('the wire format, byte for byte', () => {
  it('of one message that has nothing but a body', () => {
    const bytes = hex(
      '01', // version
      '00', // flags
      '0100', // count
      '0068e5cf8b01', // time
      '0900', // propsLength
      '01 0600 6f7264657273', // source: orders
      '00000000 09000000', // ends
      '7b226964223a317d 2c', // {"id":1} and its separator
    )
    expect(encodeBatch(time, encodeProperties({ source: 'orders' }), [json('{"id":1}')]).toString('hex')).to.equal(
      bytes.toString('hex'),
    )
    const envelope = decodeBatch(bytes)
    expect(envelope).to.include({
      count: 1,
      timeMs: time,
      source: 'orders',
      key: undefined,
      priority: 0,
      id: undefined,
      isPlain: true,
    })
    expect(envelope.parseAll()).to.deep.equal([{ id: 1 }])
  })

  const several = hex(
    '01', // version
    '03', // flags: EXPIRES, EXTRAS
    '0300 0068e5cf8b01 0900',
    '01 0600 6f7264657273',
    '00000000 02000000 07000000 0a000000', // ends
    '0000000000000000 6052e6cf8b010000 0000000000000000', // expiry: never, a minute later, never
    '00000000 00000000 1d000000 2c000000', // extraEnds: message 0 has none
    '01 04000000 70616964', // type: paid
    '03 0f000000 0600 74656e616e74 61636d652dc3a9', // header tenant: acme-é
    '02 0a000000 746578742f706c61696e', // content type: text/plain
    '31 2c', // 1
    '22c3a922 2c', // "é"
    '6869 2c', // hi
  )

  it('of three messages, of which one expires and two have extras', () => {
    const messages = [
      json('1'),
      json('"é"', { type: 'paid', headers: { tenant: 'acme-é' }, expiresAtMs: time + 60_000 }),
      json('hi', { body: Buffer.from('hi'), contentType: 'text/plain' }),
    ]
    expect(encodeBatch(time, encodeProperties({ source: 'orders' }), messages).toString('hex')).to.equal(
      several.toString('hex'),
    )
    const envelope = decodeBatch(several)
    expect([0, 1, 2].map((i) => envelope.body(i).toString())).to.deep.equal(['1', '"é"', 'hi'])
    expect([0, 1, 2].map((i) => envelope.expiresAtMs(i))).to.deep.equal([0, time + 60_000, 0])
    expect([0, 1, 2].map((i) => envelope.extra(i))).to.deep.equal([
      { headers: {} },
      { type: 'paid', headers: { tenant: 'acme-é' } },
      { contentType: 'text/plain', headers: {} },
    ])
  })

  it('of a slice: the same windows of tables and regions under a header with its own count', () => {
    const slice = hex(
      '01 03 0200 0068e5cf8b01 0900',
      '01 0600 6f7264657273',
      '02000000 07000000 0a000000', // as they are: relative to the first
      '6052e6cf8b010000 0000000000000000',
      '00000000 1d000000 2c000000',
      '01 04000000 70616964',
      '03 0f000000 0600 74656e616e74 61636d652dc3a9',
      '02 0a000000 746578742f706c61696e',
      '22c3a922 2c',
      '6869 2c',
    )
    const envelope = decodeBatch(slice)
    expect(envelope.count).to.equal(2)
    expect([0, 1].map((i) => envelope.body(i).toString())).to.deep.equal(['"é"', 'hi'])
    expect(envelope.extra(0).headers).to.deep.equal({ tenant: 'acme-é' })
    expect(envelope.contentType(1)).to.equal('text/plain')
  })

  it('of two messages with keys of their own', () => {
    const properties = encodeProperties({ source: 'orders', keys: ['OSL', 'é'] })
    expect(properties.toString('hex')).to.equal(hex('01 0600 6f7264657273', '08 0600 4f534c 0a c3a9').toString('hex'))
    const envelope = decodeBatch(encodeBatch(time, properties, [json('1'), json('2')]))
    expect([0, 1].map((i) => envelope.keyOf(i))).to.deep.equal(['OSL', 'é'])
    expect(() => decodeBatch(encodeBatch(time, properties, [json('1')]))).to.throw('it has 2 keys for 1 messages')
  })

  it('of every property that one message may have, in rising order of tags', () => {
    const properties = encodeProperties({
      source: 'orders',
      key: 'k',
      priority: -5,
      owns: ['lock:1', 'lock:2'],
      reportTo: { topic: '$flow', key: 'f' },
      id: 'order-7',
      keepResultMs: 3_600_000,
    })
    expect(properties.toString('hex')).to.equal(
      hex(
        '01 0600 6f7264657273',
        '02 0100 6b',
        '03 0200 2d35',
        '04 0600 6c6f636b3a31',
        '04 0600 6c6f636b3a32',
        '05 1b00 7b22746f706963223a2224666c6f77222c226b6579223a2266227d',
        '06 0700 6f726465722d37',
        '07 0700 33363030303030',
      ).toString('hex'),
    )
    const envelope = decodeBatch(encodeBatch(time, properties, [json('null')]))
    expect(envelope).to.deep.include({
      source: 'orders',
      key: 'k',
      priority: -5,
      owns: ['lock:1', 'lock:2'],
      reportTo: { topic: '$flow', key: 'f' },
      id: 'order-7',
      keepResultMs: 3_600_000,
    })
  })
})

describe('a property of a message that a requester waits for', () => {
  it('names the requester, its request, and until when it waits', () => {
    const reportTo = { requester: 'Xk3_9aQz', request: '7', untilMs: time }
    const properties = encodeProperties({ source: 'orders', reportTo })
    const text = '{"requester":"Xk3_9aQz","request":"7","untilMs":1700000000000}'
    expect(properties.toString('hex')).to.equal(
      hex('01 0600 6f7264657273', '05 3e00', Buffer.from(text).toString('hex')).toString('hex'),
    )
    expect(decodeBatch(encodeBatch(time, properties, [json('null')])).reportTo).to.deep.equal(reportTo)
  })
})

describe("a message's id", () => {
  it('is its address, the id of the batch that it was rehomed to, or its own', () => {
    expect(messageId('Xk3_9aQz-128-0', 37)).to.equal('Xk3_9aQz-128-0.37')
    expect(messageId('Xk3_9aQz-128-0.37', 0)).to.equal('Xk3_9aQz-128-0.37')
    expect(messageId('=order.7', 0)).to.equal('order.7')
  })
})
