import { testBatchContext, testContext, testMessage } from '@busway/testing'
import { expect } from 'chai'

describe('a test message', () => {
  it('is a first attempt with nothing but a topic and a body', () => {
    const message = testMessage('orders.paid', { id: '1' })
    expect(message).to.deep.include({
      topic: 'orders.paid',
      type: 'orders.paid',
      body: { id: '1' },
      headers: {},
      attempt: 1,
      redelivered: false,
      contentType: 'application/json',
    })
    expect(message).not.to.have.property('key')
    expect(message.time).to.be.instanceOf(Date)
  })

  it('has an id of its own', () => {
    expect(testMessage('a', 1).id).not.to.equal(testMessage('a', 1).id)
  })

  it('is what it is told to be', () => {
    const message = testMessage('a', 1, { id: 'x', key: 'k', headers: { a: 'b' }, attempt: 3 })
    expect(message).to.deep.include({ id: 'x', key: 'k', headers: { a: 'b' }, attempt: 3, redelivered: true })
    expect(testMessage('a', 1, { attempt: 3, redelivered: false }).redelivered).to.equal(false)
  })
})

describe('a test context', () => {
  it('records what is published, in order', async () => {
    const ctx = testContext()
    await ctx.publish('a', 1)
    await ctx.publish('b', { x: 2 }, { key: 'k' })
    expect(ctx.published).to.deep.equal([
      { topic: 'a', body: 1, options: {} },
      { topic: 'b', body: { x: 2 }, options: { key: 'k' } },
    ])
  })

  it('lets a publish be refused, and does not record it', async () => {
    const ctx = testContext({ publish: () => Promise.reject(new Error('refused')) })
    const refused = await ctx.publish('a', 1).catch((error: Error) => error.message)
    expect(refused).to.equal('refused')
    expect(ctx.published).to.deep.equal([])
  })

  it('records how far the handler said to be, and lets that be refused', () => {
    const ctx = testContext()
    ctx.progress(50)
    ctx.progress({ done: true })
    expect(ctx.progressed).to.deep.equal([50, { done: true }])
    const refusing = testContext({
      progress() {
        throw new RangeError('too far')
      },
    })
    expect(() => refusing.progress(1)).to.throw(RangeError)
    expect(refusing.progressed).to.deep.equal([])
  })

  it('logs into silence, its children too', () => {
    const { log } = testContext()
    log.child({ a: 1 }).error({ b: 2 }, 'nobody hears it')
    log.info('nor this')
  })

  it('has a signal that is aborted when asked, with the reason', () => {
    const ctx = testContext()
    expect(ctx.signal.aborted).to.equal(false)
    const reason = new Error('the lease is lost')
    ctx.abort(reason)
    expect(ctx.signal.reason).to.equal(reason)
  })

  it('can be aborted as well when it was given a signal', () => {
    const given = new AbortController()
    const [first, second] = [testContext({ signal: given.signal }), testContext({ signal: given.signal })]
    first.abort()
    expect([first.signal.aborted, second.signal.aborted]).to.deep.equal([true, false])
    given.abort()
    expect(second.signal.aborted).to.equal(true)
  })

  it('holds what plugins add, where it is given', () => {
    const ctx = testContext({ group: 'ledger', tenant: 'acme' } as object)
    expect(ctx).to.include({ group: 'ledger', tenant: 'acme' })
  })
})

describe('a test context of a batch', () => {
  const [first, second] = [testMessage('a', 1), testMessage('a', 2)]

  it('records what is published for all, and for each message', async () => {
    const ctx = testBatchContext()
    await ctx.publish('all', 2)
    await ctx.of(second).publish('one', 2)
    expect(ctx.published).to.deep.equal([{ topic: 'all', body: 2, options: {} }])
    expect(ctx.of(second).published).to.deep.equal([{ topic: 'one', body: 2, options: {} }])
    expect(ctx.of(first).published).to.deep.equal([])
  })

  it('holds what plugins add to the context of each message, where it is given', () => {
    const ctx = testBatchContext({ group: 'ledger' }, ({ body }) => ({ tenant: `t${body}` }) as object)
    expect(ctx.of(first)).to.include({ group: 'ledger', tenant: 't1' })
    expect(ctx).to.include({ group: 'ledger' }).and.not.to.have.property('tenant')
  })

  it('aborts those of its messages when it is aborted, and not the other way round', () => {
    const ctx = testBatchContext()
    ctx.of(first).abort()
    expect([ctx.signal.aborted, ctx.of(second).signal.aborted]).to.deep.equal([false, false])
    ctx.abort()
    expect([ctx.signal.aborted, ctx.of(second).signal.aborted]).to.deep.equal([true, true])
  })
})
