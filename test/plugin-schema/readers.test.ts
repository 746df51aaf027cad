import { BuswayError } from '@busway/bus'
import { expect } from 'chai'
import { Codec } from '../../packages/plugin-schema/src/codec/codec.js'
import { Readers } from '../../packages/plugin-schema/src/registry/readers.js'
import { record } from './equipped.js'

const writer = new Codec(record('Order', { name: 'id', type: 'string' }))
const reader = new Codec(record('Order', { name: 'id', type: 'string' }, { name: 'n', type: 'int', default: 1 }))
const fingerprint = writer.fingerprint.toString('hex')

describe('readers of other versions', () => {
  function counting(answer: (fetches: number) => string | undefined, size = 10) {
    const fetched: string[] = []
    const readers = new Readers(async (wanted) => {
      fetched.push(wanted)
      return answer(fetched.length)
    }, size)
    return { readers, fetched }
  }

  it('are made once, also for those who ask meanwhile', async () => {
    const { readers, fetched } = counting(() => writer.text)
    const made = await Promise.all(Array.from({ length: 50 }, () => readers.reader('orders', reader, fingerprint)))
    expect(new Set(made).size).to.equal(1)
    expect(made[0]?.(writer.encode({ id: 'a' }))).to.deep.equal({ id: 'a', n: 1 })
    await readers.reader('orders', reader, fingerprint)
    expect(fetched).to.deep.equal([fingerprint])
  })

  it('need no fetching for what the consumer itself would write', async () => {
    const { readers, fetched } = counting(() => undefined)
    const own = await readers.reader('orders', reader, reader.fingerprint.toString('hex'))
    expect(own(reader.encode({ id: 'a', n: 2 }))).to.deep.equal({ id: 'a', n: 2 })
    expect(fetched).to.deep.equal([])
  })

  it('are asked for again after a failure: the schema may be registered by then', async () => {
    const { readers } = counting((fetches) => (fetches === 1 ? undefined : writer.text))
    const error = await readers.reader('orders', reader, fingerprint).catch((failure) => failure)
    expect([error.code, error.details.fingerprint]).to.deep.equal(['UNDECODABLE', fingerprint])
    await readers.reader('orders', reader, fingerprint)
  })

  it('are dropped when there are too many, the one used longest ago first', async () => {
    const { readers, fetched } = counting(() => writer.text, 2)
    for (const topic of ['a', 'b', 'a', 'c', 'a', 'b']) await readers.reader(topic, reader, fingerprint)
    // a, b, c; then b again, which c had driven out.
    expect(fetched.length).to.equal(4)
  })

  it('fail as Redis does while it is away, so that the message is tried again', async () => {
    const away = new BuswayError('REDIS_UNAVAILABLE', 'away')
    const readers = new Readers(() => Promise.reject(away), 10)
    expect(await readers.reader('orders', reader, fingerprint).catch((failure) => failure)).to.equal(away)
  })

  it('are refused for what the registry has that is no schema', async () => {
    for (const text of [
      '{',
      '{"type":"record","name":"a){}","fields":[]}',
      '{"type":"fixed","name":"F","size":1e12}',
    ]) {
      const { readers } = counting(() => text)
      const error = await readers.reader('orders', undefined, fingerprint).catch((failure) => failure)
      expect(error.code).to.equal('UNDECODABLE')
    }
  })
})
