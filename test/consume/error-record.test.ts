import { expect } from 'chai'
import fc from 'fast-check'
import { decodeError, encodeError, loggable, toError } from '../../packages/bus/src/consume/error-record.js'
import { BuswayError } from '../../packages/bus/src/errors/index.js'

describe('the record of an error', () => {
  it('keeps name, message, stack and code', () => {
    const error = new BuswayError('INVALID_BODY', 'no body')
    const record = decodeError(encodeError(error))
    expect(record).to.deep.equal({ name: 'BuswayError', message: 'no body', stack: error.stack, code: 'INVALID_BODY' })
  })

  it('keeps nothing else that an error may carry', () => {
    const error = Object.assign(new Error('no'), { body: 'secret', response: { password: 'secret' } })
    expect(encodeError(error)).to.not.contain('secret')
    expect(Object.keys(loggable(error))).to.deep.equal([])
  })

  it('tells what caused it', () => {
    const error = new Error('outer', { cause: new Error('inner') })
    expect(decodeError(encodeError(error)).stack).to.contain('caused by: Error: inner')
    expect(loggable(error).stack).to.contain('caused by: Error: inner')
  })

  it('is bounded', () => {
    const error = new Error('x'.repeat(1e6))
    expect(encodeError(error).length).to.be.below(10_000)
  })

  it('is made of whatever was thrown', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const record = decodeError(encodeError(toError(thrown)))
        expect(record.name).to.be.a('string')
        expect(record.message).to.be.a('string')
      }),
    )
    expect(toError('as text').message).to.equal('as text')
  })

  it('is shown as it is if another client wrote it', () => {
    expect(decodeError('not json')).to.deep.equal({ name: 'Error', message: 'not json' })
    expect(decodeError('null')).to.deep.equal({ name: 'Error', message: 'null' })
  })
})
