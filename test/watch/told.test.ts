import { expect } from 'chai'
import fc from 'fast-check'
import { readTold } from '../../packages/bus/src/watch/told.js'

const read = (told: readonly object[]) => readTold('orders', JSON.stringify({ time: 5, told }))
const time = new Date(5)

describe('what scripts tell', () => {
  it('is one event for each message of a range, named as its consumers know it', () => {
    const done = { type: 'settled', group: 'g', outcome: 'done' }
    const ids = (range: string) => read([{ ...done, range }])?.map((event) => 'id' in event && event.id)
    expect(ids('3,2,128,Xk3_9aQz-1-0')).to.deep.equal(['Xk3_9aQz-1-0.3', 'Xk3_9aQz-1-0.4'])
    expect(ids('0,1,1,Xk3_9aQz-1-0')).to.deep.equal(['Xk3_9aQz-1-0.0'])
    expect(ids('0,1,1,Xk3_9aQz-1-0.37')).to.deep.equal(['Xk3_9aQz-1-0.37'])
    expect(ids('0,1,1,=order,7\n')).to.deep.equal(['order,7\n'])
  })

  it('says all that the page of the wire format says', () => {
    const [of, range] = [{ topic: 'orders', group: 'g', id: 'b-1-0.0', time }, '0,1,1,b-1-0']
    const error = { name: 'RangeError', message: 'no', code: 'E_NO', stack: 'at' }
    const events = read([
      { type: 'settled', range, outcome: 'replaced' },
      { type: 'settled', group: 'g', range, outcome: 'done', result: null, attempt: 2 },
      { type: 'settled', group: 'g', range, outcome: 'done', error: { ...error, more: 1 } },
      { type: 'retried', group: 'g', range, attempt: 3, due: 9, error: { message: 'its session ended' } },
      { type: 'dead', group: 'g', range, reason: 'a%20b', attempt: 4, error },
      { type: 'dead', group: 'g', range, reason: 'expired', error },
      { type: 'redriven', group: 'g', range },
      { type: 'progress', group: 'g', range, attempt: 1, value: [1] },
    ])
    expect(events).to.deep.equal([
      { type: 'settled', topic: 'orders', id: 'b-1-0.0', time, outcome: 'replaced' },
      { type: 'settled', ...of, outcome: 'done', attempt: 2, result: null },
      { type: 'settled', ...of, outcome: 'done', attempt: 1, error },
      {
        type: 'retried',
        ...of,
        attempt: 3,
        error: { name: 'Error', message: 'its session ended' },
        dueAt: new Date(9),
      },
      { type: 'dead', ...of, reason: 'a b', attempt: 4, error },
      { type: 'dead', ...of, reason: 'expired', error },
      { type: 'redriven', ...of },
      { type: 'progress', ...of, attempt: 1, value: [1] },
    ])
  })

  it('is nothing where the text is empty, and skipped where it is of another kind', () => {
    expect(readTold('orders', '')).to.deep.equal([])
    const range = '0,1,1,b-1-0'
    expect(
      read([
        { type: 'later', group: 'g', range },
        { type: 'redriven', range },
        { type: 'redriven', group: 'g' },
      ]),
    ).to.deep.equal([])
    expect(read([{ type: 'redriven', group: 'g', range: '0,99999999,99999999,b-1-0' }])).to.deep.equal([])
  })

  it('is unreadable, and never throws, if anybody publishes something else', () => {
    for (const text of ['no json', '1', 'null', '[]', '{}', '{"time":1}', '{"time":1,"told":{}}'])
      expect(readTold('orders', text), text).to.equal(undefined)
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.jsonValue()), (payload, told) => {
        readTold('orders', JSON.stringify(payload))
        readTold('orders', JSON.stringify({ time: 1, told }))
      }),
    )
  })
})
