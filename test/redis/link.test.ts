import { expect } from 'chai'
import { Link } from '../../packages/bus/src/redis/link.js'
import { world } from '../support/world.js'

describe('a connection', () => {
  const w = world()

  it('that has ended may be held and released any number of times, as work waits for the next one', async () => {
    const link = new Link({ port: w.server.port, host: '127.0.0.1', lazyConnect: true }, 'held', 5_000)
    await link.connect()
    const warnings: Error[] = []
    const heard = (warning: Error) => warnings.push(warning)
    process.on('warning', heard)
    w.atEnd(() => process.off('warning', heard))
    link.destroy(new Error('the end'))
    for (let i = 0; i < 30; i++) link.reference(i % 2 === 1)
    // Warnings are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings.map(String)).to.deep.equal([])
  })
})
