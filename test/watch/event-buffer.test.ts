import type { TopicEvent } from '@busway/bus'
import { expect } from 'chai'
import fc from 'fast-check'
import { EventBuffer } from '../../packages/bus/src/watch/event-buffer.js'

const event = (id: number): TopicEvent => ({
  ...{ type: 'redriven', topic: 'orders', group: 'g', id: String(id), time: new Date(0) },
})
const shown = (event: TopicEvent | undefined): string | undefined =>
  event?.type === 'missed' ? `missed ${event.count ?? 'some'}` : event?.id
const all = (buffer: EventBuffer): (string | undefined)[] => {
  const events = []
  for (let event = buffer.shift(); event !== undefined; event = buffer.shift()) events.push(shown(event))
  return events
}

describe('events that wait for their reader', () => {
  it('keep their order', () => {
    const buffer = new EventBuffer('orders', 3)
    for (const id of [1, 2]) buffer.push(event(id))
    expect(shown(buffer.shift())).to.equal('1')
    for (const id of [3, 4]) buffer.push(event(id))
    expect(all(buffer)).to.deep.equal(['2', '3', '4'])
  })

  it('lose the oldest where there are too many, and say how many where those were', () => {
    const buffer = new EventBuffer('orders', 3)
    for (const id of [1, 2, 3, 4, 5]) buffer.push(event(id))
    expect(all(buffer)).to.deep.equal(['missed 2', '3', '4', '5'])
    for (const id of [6, 7, 8, 9]) buffer.push(event(id))
    expect(all(buffer)).to.deep.equal(['missed 1', '7', '8', '9'])
  })

  it('say once that some may be missing, in their place', () => {
    const buffer = new EventBuffer('orders', 5)
    buffer.push(event(1))
    buffer.pushMissed()
    buffer.pushMissed()
    buffer.push(event(2))
    buffer.pushMissed()
    expect(all(buffer)).to.deep.equal(['1', 'missed some', '2', 'missed some'])
    buffer.pushMissed()
    expect(all(buffer)).to.deep.equal(['missed some'])
  })

  it('do not pretend to know how many went, where some that cannot be known were among them', () => {
    const buffer = new EventBuffer('orders', 2)
    buffer.pushMissed()
    for (const id of [1, 2, 3]) buffer.push(event(id))
    expect(all(buffer)).to.deep.equal(['missed some', '2', '3'])
  })

  it('are all accounted for, however they are pushed and read', () => {
    const step = fc.oneof(fc.constant('push'), fc.constant('push'), fc.constant('shift'))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 400 }), (most, steps) => {
        const buffer = new EventBuffer('orders', most)
        let [pushed, next] = [0, 1]
        const read = (event: TopicEvent | undefined): void => {
          if (event?.type === 'missed') next += event.count as number
          else if (event !== undefined) expect(event.id).to.equal(String(next++))
        }
        for (const each of steps) {
          if (each === 'push') buffer.push(event(++pushed))
          else read(buffer.shift())
        }
        for (let event = buffer.shift(); event !== undefined; event = buffer.shift()) read(event)
        expect(next).to.equal(pushed + 1)
      }),
    )
  })
})
