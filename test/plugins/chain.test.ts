import { expect } from 'chai'
import { compose, type Link } from '../../packages/bus/src/plugins/chain.js'
import { refusal } from './refusal.js'

type Run = Link<string, string>['run']
const link = (from: string, run: Run): Link<string, string> => ({ from, run })
const around = (name: string): Link<string, string> =>
  link(name, async (subject, next) => `${name}(${await next()})${subject}`)
const core = async () => 'core'
const chainOf = (strict: boolean, ...links: Link<string, string>[]) => {
  const chain = compose(links, strict)
  if (chain === undefined) throw new Error('there are links')
  return chain
}

describe('a chain', () => {
  it('is nothing at all without links', () => {
    expect(compose([], true)).to.equal(undefined)
  })

  for (const strict of [true, false]) {
    describe(strict ? 'in development' : 'in production', () => {
      it('has its first link outermost', async () => {
        expect(await chainOf(strict, around('a'), around('b'), around('c'))('!', core)).to.equal('a(b(c(core)!)!)!')
      })

      it('may end before its core', async () => {
        const chain = chainOf(
          strict,
          around('a'),
          link('short', async () => 'enough'),
          around('never'),
        )
        expect(await chain('!', () => Promise.reject(new Error('not reached')))).to.equal('a(enough)!')
      })

      it('rejects with what its core throws, at once or later', async () => {
        const chain = chainOf(strict, around('a'))
        const thrown = new Error('from the core')
        expect(await chain('!', () => Promise.reject(thrown)).catch((error) => error)).to.equal(thrown)
        const atOnce = () => {
          throw thrown
        }
        expect(await chain('!', atOnce).catch((error) => error)).to.equal(thrown)
      })

      it('lets a link see what throws at once as a rejection', async () => {
        const seen: unknown[] = []
        const watching = link('watching', (_subject, next) => next().finally(() => seen.push('ended')))
        const throwing = link('throwing', () => {
          throw new Error('at once')
        })
        const error = await chainOf(strict, watching, throwing)('!', core).catch((error) => error)
        expect(error.message).to.equal('at once')
        expect(seen).to.deep.equal(['ended'])
      })

      it('refuses a second next(), naming the plugin, and runs its core once', async () => {
        let runs = 0
        const twice = link("plugin 'twice'", async (_subject, next) => {
          await next()
          return next()
        })
        const error = await refusal(() => chainOf(strict, twice)('!', async () => `${++runs}`))
        expect(error.code).to.equal('PLUGIN_MISUSE')
        expect(error.message).to.match(/plugin 'twice' called next\(\) twice/)
        expect(runs).to.equal(1)
      })

      it('can be run by many at once', async () => {
        const chain = chainOf(strict, around('a'), around('b'))
        const results = await Promise.all(['1', '2', '3'].map((subject) => chain(subject, core)))
        expect(results).to.deep.equal(['a(b(core)1)1', 'a(b(core)2)2', 'a(b(core)3)3'])
      })
    })
  }

  const forgetful = link("plugin 'forgetful'", async (_subject, next) => {
    void next().catch(() => undefined)
    return 'early'
  })

  it('refuses a next() that is not awaited in development, after what it started has ended', async () => {
    let ended = false
    const slow = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      ended = true
      return 'late'
    }
    const error = await refusal(() => chainOf(true, forgetful)('!', slow))
    expect(error.code).to.equal('PLUGIN_MISUSE')
    expect(error.message).to.match(/plugin 'forgetful' ended without awaiting next\(\)/)
    expect(ended).to.equal(true)
  })

  it('does not look for it in production', async () => {
    expect(await chainOf(false, forgetful)('!', core)).to.equal('early')
  })

  it('takes a rejection that nobody awaited for a fault as well', async () => {
    const error = await refusal(() =>
      chainOf(true, forgetful)('!', async () => {
        await new Promise((resolve) => setImmediate(resolve))
        throw new Error('unseen')
      }),
    )
    expect(error.code).to.equal('PLUGIN_MISUSE')
  })
})
