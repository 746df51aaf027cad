import type { ProgressRequest } from '@busway/lua'
import { expect } from 'chai'
import { encodeProgress, RunProgress } from '../../packages/bus/src/consume/run-progress.js'
import { Watching } from '../../packages/bus/src/consume/watching.js'
import { BuswayError } from '../../packages/bus/src/errors/index.js'

const answering = (watched: boolean | Error) => ({
  run: async () => {
    if (watched instanceof Error) throw watched
    return { watched } as never
  },
})
const request: ProgressRequest = { group: 'g@1', session: 'busAAAAA~1', lease: 1, index: 0, attempt: 1, value: '1' }

describe('whether somebody watches', () => {
  it('is what Redis answered last', () => {
    const watching = new Watching(answering(true), 'orders.paid')
    expect(watching.isOn).to.equal(false)
    watching.answered(true, performance.now())
    expect(watching.isOn).to.equal(true)
    watching.answered(false, performance.now())
    expect(watching.isOn).to.equal(false)
  })

  it('is not forgotten for an answer to what was asked before', () => {
    const watching = new Watching(answering(true), 'orders.paid')
    const sentMs = performance.now()
    watching.began()
    watching.answered(false, sentMs)
    expect(watching.isOn).to.equal(true)
    watching.answered(false, performance.now() + 1)
    expect(watching.isOn).to.equal(false)
  })

  it('is learnt from the news of progress, and whatever hinders that hinders nobody', async () => {
    const ended = new Watching(answering(false), 'orders.paid')
    ended.answered(true, performance.now())
    await ended.tell(request)
    expect(ended.isOn).to.equal(false)
    const down = new Watching(answering(new Error('down')), 'orders.paid')
    down.began()
    await down.tell(request)
    expect(down.isOn).to.equal(true)
  })
})

describe('the progress of a run', () => {
  /** Each value is on its way until `arrive`. */
  const slow = () => {
    const sent: string[] = []
    const waiting: (() => void)[] = []
    const progress = new RunProgress((json) => {
      sent.push(json)
      return new Promise((resolve) => waiting.push(resolve))
    })
    const arrive = async () => {
      waiting.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { sent, progress, arrive }
  }

  it('is told at once, then the newest of what came meanwhile', async () => {
    const { sent, progress, arrive } = slow()
    for (const value of ['1', '2', '3']) progress.set(value)
    expect(sent).to.deep.equal(['1'])
    await arrive()
    expect(sent).to.deep.equal(['1', '3'])
    await arrive()
    progress.set('4')
    expect(sent).to.deep.equal(['1', '3', '4'])
  })

  it('is told to the last before the run is settled, and not twice', async () => {
    const { sent, progress, arrive } = slow()
    for (const value of ['1', '2', '3']) progress.set(value)
    progress.end()
    expect(sent).to.deep.equal(['1', '3'])
    progress.end()
    await arrive()
    await arrive()
    expect(sent).to.deep.equal(['1', '3'])
  })

  it('is JSON, and short', () => {
    expect(encodeProgress({ at: 1 })).to.equal('{"at":1}')
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const [value, expected] of [
      [undefined, 'cannot be written as JSON'],
      [() => 1, 'cannot be written as JSON'],
      [1n, 'BigInt'],
      [circle, 'circular'],
      ['x'.repeat(65_536), 'has 65,538 characters'],
    ] as const)
      expect(() => encodeProgress(value))
        .to.throw(BuswayError, expected)
        .with.property('code', 'INVALID_OPTIONS')
  })
})
