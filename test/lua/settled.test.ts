/** What can be known of how a message ended: of what was to be kept, of dead letters, and of what has not ended. */
import { type GuardLua, purge, redrive, removeGroup, type Settle, settled } from '@busway/lua'
import { expect } from 'chai'
import { type BatchOptions, encodeBatch } from './batch.js'
import { drivenTopic, TOPIC } from './driven-topic.js'

const KEEP_RESULT = 7
const HOUR_MS = 3_600_000
const ERROR = '{"name":"Error","message":"no"}'
const error = JSON.parse(ERROR)

describe('how a message ended', () => {
  const driven = drivenTopic()
  const { place, begin, put, enter, go } = driven
  const key = (name: string) => driven.scripts.key(TOPIC, name)

  /** What is known of it: whether it may yet end, and the reports without their times. */
  const ask = async (id: string, group?: string) => {
    const { open, ended, nowMs } = await driven.scripts.run(settled, TOPIC, { id, ...(group && { group }) })
    return {
      open,
      ended: ended.map(({ group, report }) => {
        if (report === undefined) return { group, report }
        const { time, ...rest } = JSON.parse(report)
        expect(time).to.be.within(nowMs - 60_000, nowMs)
        return { group, report: rest }
      }),
    }
  }
  const keep = (forMs: number | string = HOUR_MS): BatchOptions => ({ properties: [[KEEP_RESULT, String(forMs)]] })
  const putOwn = (id: string, made = keep()) => put([{ value: encodeBatch([1], made), id }])
  /** Takes one message and settles it; the group of that session. */
  const end = async (more: object, session = 'busAAAAA~1', group = 'g@1') => {
    const { lastLease: lease } = await go(session, { want: 1 }, group)
    const settles = [{ lease, index: 0, ...more } as Settle]
    await go(session, { settles, want: 0 }, group)
  }
  const done = { outcome: 'done', result: '{"ok":true}' }
  const died = { outcome: 'dead', reason: 'attempts', error: ERROR }

  describe('where it was to be kept', () => {
    it('is told with its result, for the time that was named', async () => {
      await enter('busAAAAA~1')
      await putOwn('mine')
      await end(done)
      const report = { id: 'mine', group: 'g', outcome: 'done', result: { ok: true } }
      expect(await ask('mine')).to.deep.equal({ open: false, ended: [{ group: 'g', report }] })
      expect(await place.redis.pttl(key('result:mine'))).to.be.within(HOUR_MS - 60_000, HOUR_MS)
    })

    it('is told without one, or with why there is none', async () => {
      await enter('busAAAAA~1')
      await putOwn('bare')
      const { lastLease: lease } = await go('busAAAAA~1')
      await go('busAAAAA~1', { acks: [{ lease }], want: 0 })
      expect((await ask('bare')).ended[0]?.report).to.deep.equal({ id: 'bare', group: 'g', outcome: 'done' })
      await putOwn('large')
      await end({ outcome: 'done', result: `!${ERROR}` })
      expect((await ask('large')).ended[0]?.report).to.deep.include({ outcome: 'done', error })
    })

    it('is told by each group, and asked of one by that alone', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await putOwn('mine')
      await end(done)
      expect((await ask('mine')).open, 'the other group has it yet').to.equal(true)
      expect(await ask('mine', 'h')).to.deep.equal({ open: true, ended: [] })
      expect((await ask('mine', 'g')).open).to.equal(false)
      await end(died, 'busAAAAA~2', 'h@2')
      const { open, ended } = await ask('mine')
      expect(open).to.equal(false)
      expect(ended).to.have.deep.members([
        { group: 'g', report: { id: 'mine', group: 'g', outcome: 'done', result: { ok: true } } },
        { group: 'h', report: { id: 'mine', group: 'h', outcome: 'dead', error } },
      ])
      expect((await ask('mine', 'h')).ended).to.have.length(1)
    })

    const ends: [outcome: string, () => Promise<unknown>][] = [
      ['dead', () => end(died)],
      ['expired', () => end({ ...died, reason: 'expired' })],
      [
        'purged',
        () => driven.scripts.run(purge, TOPIC, { group: 'g', what: 'waiting', limit: 9, producer: 'freshAAA' }),
      ],
      ['removed', () => driven.scripts.run(removeGroup, TOPIC, { group: 'g', limit: 9, producer: 'freshAAA' })],
    ]
    for (const [outcome, work] of ends)
      it(`is told: ${outcome}`, async () => {
        await enter('busAAAAA~1')
        await putOwn('mine')
        await work()
        expect(JSON.parse((await place.redis.hget(key('result:mine'), 'g')) as string)).to.include({ outcome })
        expect((await ask('mine')).ended[0]?.report).to.include({ outcome })
        expect((await ask('mine')).open).to.equal(false)
      })

    it('is told of what no group had yet and that was replaced', async () => {
      const debounce: GuardLua = {
        name: 'debounce',
        keys: [],
        lua: 'return { check = function(m, args) if args[1] == "" then return defer(60000) end return replace(args[1]) end }',
      }
      await begin({ guards: { publish: [debounce] } })
      const calls = (id: string) => ({ guardKeys: [[]], guardCalls: [{ message: 0, guard: 0, args: [id] }] })
      await put([{ value: encodeBatch([1], keep()), id: 'mine' }], calls(''))
      expect((await ask('mine')).open).to.equal(true)
      await put([{ value: encodeBatch([2]) }], calls('mine'))
      expect(await ask('mine', 'g')).to.deep.equal({
        open: false,
        ended: [{ group: undefined, report: { id: 'mine', outcome: 'replaced' } }],
      })
    })

    it('is forgotten of a message that is at it again, and told anew', async () => {
      await enter('busAAAAA~1')
      await putOwn('mine')
      await end(died)
      await driven.scripts.run(redrive, TOPIC, { group: 'g', limit: 10 })
      expect(await ask('mine')).to.deep.equal({ open: true, ended: [] })
      await end(done)
      expect((await ask('mine')).ended[0]?.report).to.include({ outcome: 'done' })
      await putOwn('mine')
      expect(await ask('mine')).to.deep.equal({ open: true, ended: [] })
    })

    it('is not kept for a time that is none', async () => {
      await enter('busAAAAA~1')
      for (const forMs of ['0', '-5', 'soon', '1e99', '9'.repeat(400)]) {
        await putOwn('mine', keep(forMs))
        await end(done)
        expect(await place.redis.exists(key('result:mine')), forMs).to.equal(0)
      }
    })

    it('is kept also of a message that was tried again under its own name', async () => {
      await enter('busAAAAA~1')
      await put([{ value: encodeBatch([1], keep()) }])
      await end({ outcome: 'retry', delayMs: 0, counted: true, error: ERROR })
      expect(await ask('prodAAAA-1-0.0')).to.deep.equal({ open: true, ended: [] })
      await end(done)
      expect((await ask('prodAAAA-1-0.0')).ended[0]?.report).to.deep.include({ id: 'prodAAAA-1-0.0', outcome: 'done' })
    })
  })

  describe('where nothing was to be kept', () => {
    const batch = (...bodies: unknown[]) => put([{ value: encodeBatch(bodies) }])
    const unknown = { open: false, ended: [] }
    const open = { open: true, ended: [] }

    it('is not known of one that never was, however it is named', async () => {
      await enter('busAAAAA~1')
      await batch(1, 2)
      for (const id of [
        '',
        'nobody',
        'prodAAAA-1-0',
        'prodAAAA-1-0.2',
        'prodAAAA-1-0.99999999999999999999',
        '=x',
        '.1',
      ])
        expect(await ask(id), id).to.deep.equal(unknown)
    })

    it('is open while nobody has it and while it is delayed, for whatever group; then for those that have it', async () => {
      await batch(1, 2)
      await put([{ value: encodeBatch([3]), delayMs: HOUR_MS }])
      for (const id of ['prodAAAA-1-0.0', 'prodAAAA-1-0.1', 'prodAAAA-2-0.0']) {
        expect(await ask(id), id).to.deep.equal(open)
        expect(await ask(id, 'later'), id).to.deep.equal(open)
      }
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'later')
      expect(await ask('prodAAAA-1-0.0', 'g')).to.deep.equal(open)
      expect(await ask('prodAAAA-1-0.0', 'later'), 'which came later').to.deep.equal(unknown)
      expect(await ask('prodAAAA-2-0.0', 'later')).to.deep.equal(open)
    })

    it('is told message by message of a batch while that is there, and known of none afterwards', async () => {
      await enter('busAAAAA~1')
      await batch(1, 2, 3)
      const { lastLease: lease } = await go('busAAAAA~1')
      await go('busAAAAA~1', { acks: [{ lease, from: 1, count: 1 }], want: 0 })
      expect(await ask('prodAAAA-1-0.0')).to.deep.equal(open)
      expect(await ask('prodAAAA-1-0.1')).to.deep.equal({ open: false, ended: [{ group: 'g', report: undefined }] })
      await go('busAAAAA~1', { acks: [{ lease }], want: 0 })
      for (const index of [0, 1, 2]) expect(await ask(`prodAAAA-1-0.${index}`)).to.deep.equal(unknown)
    })

    it('is told of a dead letter, by its record, until that goes', async () => {
      await enter('busAAAAA~1')
      await batch(1, 2)
      await end(died)
      const report = { id: 'prodAAAA-1-0.0', group: 'g', outcome: 'dead', error }
      expect(await ask('prodAAAA-1-0.0')).to.deep.equal({ open: false, ended: [{ group: 'g', report }] })
      await driven.scripts.run(purge, TOPIC, { group: 'g', what: 'dead', limit: 10, producer: 'freshAAA' })
      expect(await ask('prodAAAA-1-0.0')).to.deep.equal({ open: false, ended: [{ group: 'g', report: undefined }] })
    })

    it('is open in a group that tries it again, also where another has ended it', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await batch(1)
      await end(done)
      await end({ outcome: 'retry', delayMs: HOUR_MS, counted: true, error: ERROR }, 'busAAAAA~2', 'h@2')
      expect(await ask('prodAAAA-1-0.0')).to.deep.equal({ open: true, ended: [{ group: 'g', report: undefined }] })
      expect(await ask('prodAAAA-1-0.0', 'g')).to.deep.equal({
        open: false,
        ended: [{ group: 'g', report: undefined }],
      })
    })

    it('is told of a group that ended it in its batch, while another has moved it out', async () => {
      await enter('busAAAAA~1', 'g')
      await enter('busAAAAA~2', 'h')
      await batch(1, 2)
      await end({ outcome: 'retry', delayMs: HOUR_MS, counted: true, error: ERROR }, 'busAAAAA~2', 'h@2')
      expect(await ask('prodAAAA-1-0.0', 'g')).to.deep.equal(open)
      await end(done)
      expect(await ask('prodAAAA-1-0.0', 'g')).to.deep.equal({
        open: false,
        ended: [{ group: 'g', report: undefined }],
      })
      expect(await ask('prodAAAA-1-0.0')).to.deep.include({ open: true })
    })
  })
})
