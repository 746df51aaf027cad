import { expect } from 'chai'
import { parseOptions } from '../../bench/src/options.js'

describe("the bench's options", () => {
  const measured = (...args: string[]) => {
    const order = parseOptions(args)
    return order.kind === 'measure' ? order.options : expect.fail(`to measure, not ${order.kind}`)
  }

  it('measure five rounds of everything by default', () => {
    expect(measured()).to.include({ rounds: 5, quick: false, messages: undefined })
    expect(measured().peers.slice(0, 2)).to.deep.equal(['busway', 'bullmq'])
  })

  it('measure peers with servers of their own only if asked to', () => {
    expect(measured().peers).to.include('raw-loop').and.not.include('rabbitmq')
    expect(measured('--all').peers).to.include.members(['busway', 'nats', 'rabbitmq'])
    expect(measured('--peers', 'busway,nats').peers).to.deep.equal(['busway', 'nats'])
  })

  it('choose scenarios by the beginning of their names', () => {
    const names = measured('--only', 'publish,consume-100').scenarios.map(({ name }) => name)
    expect(names).to.deep.equal(['publish-awaited', 'publish-concurrent', 'publish-batch', 'consume-100'])
  })

  it('say what is wrong with them', () => {
    expect(() => parseOptions(['--only', 'walk'])).to.throw('--only: there is no walk')
    expect(() => parseOptions(['--rounds', '0'])).to.throw('--rounds must be a number above 0')
    expect(() => parseOptions(['--rounds', '1.5'])).to.throw('--rounds')
    expect(() => parseOptions(['--loops', '3'])).to.throw('--loops')
  })
})
