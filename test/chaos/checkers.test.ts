import { expect } from 'chai'
import { checkers } from './checkers/index.js'
import type { Deed, Entry } from './history.js'
import { Reading } from './runs.js'

/** One entry a second, of process `c1` unless it says otherwise. */
const history = (...deeds: (Deed & { process?: string; serverMs?: number })[]): Entry[] =>
  deeds.map((deed, i) => ({ process: 'c1', atMs: i * 1000, serverMs: i * 1000, ...deed }))
const found = (letter: string, entries: Entry[]) => checkers[letter]?.(new Reading(entries)) ?? []

const place = { topic: 't', group: 'g' }
const groups = { e: 'groups', topic: 't', groups: ['g'] } as const
const publishing = (name: string) => ({ e: 'publishing', name, topic: 't' }) as const
const published = (name: string, outcome: 'ok' | 'failed' | 'duplicate' | 'unknown' = 'ok') =>
  ({ e: 'published', name, outcome }) as const
const started = (run: string, name: string, more = {}) =>
  ({ e: 'started', run, name, ...place, attempt: 1, ...more }) as const
const ended = (run: string, how: 'done' | 'retry' = 'done') => ({ e: 'ended', run, how }) as const
const settled = (run: string, refused = false, outcome: 'done' | 'retry' = 'done') =>
  ({ e: 'settled', run, outcome, refused }) as const
const staged = (run: string, name: string) => ({ e: 'staged', run, name, topic: 'u' }) as const
const stored = (names: string[], count = names.length) =>
  ({ e: 'stored', ...place, place: 'ready', count, names }) as const
const fault = (phase: 'begin' | 'end', more = {}) =>
  ({ e: 'fault', fault: 'some', phase, number: 1, reruns: true, ...more }) as const
const once = (run: string, name: string, more = {}) => [started(run, name, more), ended(run), settled(run)]

describe('the checkers of chaos runs', () => {
  it('find nothing in a run in which all went well', () => {
    const well = history(
      groups,
      publishing('a'),
      published('a'),
      started('r1', 'a'),
      staged('r1', 's'),
      ended('r1'),
      settled('r1'),
      ...once('r2', 's', { topic: 'u' }),
    )
    for (const letter of Object.keys(checkers)) expect(found(letter, well), letter).to.deep.equal([])
  })

  describe('L, loss', () => {
    const accepted = [groups, publishing('a'), published('a')]
    it('finds a message that was accepted and is nowhere', () => {
      expect(found('L', history(...accepted))).to.have.length(1)
    })
    it('finds one whose only settle was refused, or asked for a retry', () => {
      expect(found('L', history(...accepted, started('r1', 'a'), ended('r1'), settled('r1', true)))).to.have.length(1)
      expect(found('L', history(...accepted, started('r1', 'a'), settled('r1', false, 'retry')))).to.have.length(1)
    })
    it('finds one that one of two groups never had', () => {
      const two = { e: 'groups', topic: 't', groups: ['g', 'h'] } as const
      expect(found('L', history(two, publishing('a'), published('a'), ...once('r1', 'a')))).to.have.length(1)
    })
    it('accepts what is stored, what failed, and what nobody was promised', () => {
      expect(found('L', history(...accepted, stored(['a'])))).to.deep.equal([])
      expect(found('L', history(groups, publishing('a'), published('a', 'unknown')))).to.deep.equal([])
    })
    it('accepts what was confirmed within the time that the server lost, if it was told, and no more', () => {
      const losing = [fault('begin'), fault('end', { lostFromMs: 2000 })]
      const told = { e: 'rollback', side: 'producer' } as const
      expect(found('L', history(...accepted, ...losing))).to.have.length(1)
      expect(found('L', history(...accepted, ...losing, told))).to.deep.equal([])
      const kept = [fault('begin'), fault('end', { lostFromMs: 2000, keepsPublishes: true })]
      expect(found('L', history(...accepted, ...kept, told))).to.have.length(1)
      const later = [fault('begin'), fault('end', { lostFromMs: 2001 })]
      expect(found('L', history(...accepted, ...later))).to.have.length(1)
    })
  })

  describe('P, phantoms', () => {
    it('finds what nobody published, run or stored', () => {
      expect(found('P', history(...once('r1', 'a')))).to.have.length(1)
      expect(found('P', history(stored(['a'])))).to.have.length(1)
    })
    it('finds what its publisher was told had failed, or had been left out', () => {
      expect(found('P', history(publishing('a'), published('a', 'failed'), ...once('r1', 'a')))).to.have.length(1)
      expect(found('P', history(publishing('a'), published('a', 'duplicate'), ...once('r1', 'a')))).to.have.length(1)
    })
  })

  describe('D, duplicates', () => {
    const twice = [started('r1', 'a'), ended('r1'), started('r2', 'a', { process: 'c2' })]
    it('finds a second run that nothing explains', () => {
      expect(found('D', history(...twice))).to.have.length(1)
    })
    it('accepts one that the handler asked for', () => {
      expect(found('D', history(started('r1', 'a'), ended('r1', 'retry'), started('r2', 'a')))).to.deep.equal([])
    })
    it('accepts one after a fault of a process that had it, and of no other', () => {
      const hit = (by: string) =>
        history(started('r1', 'a'), fault('begin', { by }), fault('end', { by }), started('r2', 'a', { process: 'c2' }))
      expect(found('D', hit('c1'))).to.deep.equal([])
      expect(found('D', hit('c3'))).to.have.length(1)
    })
    it('finds one after a fault that is no reason to run anything again', () => {
      const more = { reruns: false }
      const entries = history(started('r1', 'a'), fault('begin', more), fault('end', more), started('r2', 'a'))
      expect(found('D', entries)).to.have.length(1)
    })
  })

  describe('O, order', () => {
    const keyed = (run: string, keySeq: number) => started(run, `k${keySeq}`, { key: 'k', keySeq })
    it('finds a key whose messages are overtaken', () => {
      const entries = history(keyed('r1', 1), ended('r1'), settled('r1'), keyed('r0', 0), ended('r0'), settled('r0'))
      expect(found('O', entries)).to.have.length(1)
    })
    it('finds two of a key that run at once', () => {
      const entries = history(keyed('r0', 0), keyed('r1', 1), ended('r0'), settled('r0'), ended('r1'), settled('r1'))
      expect(found('O', entries)).to.have.length(1)
    })
    it('finds one that began long before and runs on beside several others', () => {
      const others = [keyed('r1', 1), ended('r1'), settled('r1'), keyed('r2', 2), ended('r2'), settled('r2')]
      expect(found('O', history(keyed('r0', 0), ...others, ended('r0'), settled('r0')))).to.have.length(2)
    })
    it('does not count the run of one that had lost its lease', () => {
      const entries = history(
        keyed('r0', 0),
        keyed('r1', 1),
        ended('r1'),
        settled('r1'),
        ended('r0'),
        settled('r0', true),
      )
      expect(found('O', entries)).to.deep.equal([])
    })
  })

  describe('F, fencing', () => {
    it('finds two settles of one message, also if a fault explains the runs', () => {
      const entries = history(...once('r1', 'a'), fault('begin'), fault('end'), ...once('r2', 'a'))
      expect(found('F', entries)).to.have.length(1)
    })
    it('finds a settle of which only what it staged tells', () => {
      const entries = history(
        started('r1', 'a'),
        staged('r1', 's'),
        ...once('r2', 'a'),
        ...once('r3', 's', { topic: 'u' }),
      )
      expect(found('F', entries)).to.have.length(1)
    })
    it('accepts a second one in another group, and after a refused one', () => {
      expect(found('F', history(...once('r1', 'a'), ...once('r2', 'a', { group: 'h' })))).to.deep.equal([])
      expect(found('F', history(started('r1', 'a'), settled('r1', true), ...once('r2', 'a')))).to.deep.equal([])
    })
  })

  describe('T, transactions', () => {
    const stages = [started('r1', 'a'), staged('r1', 's1'), staged('r1', 's2'), ended('r1')]
    it('finds what exists of a refused settle, and of one that asked for a retry', () => {
      expect(found('T', history(...stages, settled('r1', true), ...once('r2', 's1')))).to.have.length(1)
      expect(found('T', history(...stages, settled('r1', false, 'retry'), ...once('r2', 's1')))).to.have.length(1)
    })
    it('finds what does not exist of an accepted one', () => {
      expect(found('T', history(...stages, settled('r1'), ...once('r2', 's1')))).to.have.length(1)
    })
    it('finds a half of one that nobody heard of', () => {
      expect(found('T', history(...stages, ...once('r2', 's1')))).to.have.length(1)
      expect(found('T', history(...stages))).to.deep.equal([])
    })
    it('excuses what was carried to a master that forgot it', () => {
      const lost = [fault('begin'), fault('end', { lostFromMs: 50_000, lostToMs: 60_000, apart: true })]
      expect(found('T', history(...stages, settled('r1'), ...lost))).to.deep.equal([])
      expect(
        found('T', history(...lost.map((entry) => ({ ...entry, keepsPublishes: true })), ...stages, settled('r1'))),
      ).to.have.length(2)
    })
    it('finds what is there twice', () => {
      const entries = history(...stages, settled('r1'), ...once('r2', 's1'), ...once('r3', 's1'), ...once('r4', 's2'))
      expect(found('F', entries)).to.have.length(1)
    })
  })

  describe('J, joins', () => {
    const joins = (policy: 'fail' | 'continue') => ({ e: 'joins', name: 'p', children: ['a'], policy }) as const
    const parent = (outcome: 'done' | 'failed', by?: string) => [
      started('r2', 'p'),
      { e: 'joined', run: 'r2', children: [{ name: 'a', outcome, ...(by !== undefined && { by }) }] } as const,
    ]
    const dies = [started('r1', 'a'), { ...settled('r1'), outcome: 'dead' } as const]
    it('finds a parent that runs before its child has ended, or is told of an end that did not count', () => {
      const early = [joins('fail'), started('r1', 'a'), ...parent('done', 'r1'), ended('r1'), settled('r1')]
      expect(found('J', history(...early))).to.have.length(1)
      const refused = [joins('fail'), started('r1', 'a'), ended('r1'), settled('r1', true), ...parent('done', 'r1')]
      expect(found('J', history(...refused))).to.have.length(1)
      expect(found('J', history(joins('fail'), ...once('r1', 'a'), ...parent('done', 'r1')))).to.deep.equal([])
    })
    it('finds a parent that runs though its child failed, or is told of a failure that was none', () => {
      expect(found('J', history(joins('fail'), ...dies, ...parent('failed')))).to.have.length(1)
      expect(found('J', history(joins('continue'), ...once('r1', 'a'), ...parent('failed')))).to.have.length(1)
      expect(found('J', history(joins('continue'), ...dies, ...parent('failed')))).to.deep.equal([])
    })
    it('finds a parent that is told nothing of a child', () => {
      const untold = { e: 'joined', run: 'r2', children: [] } as const
      expect(found('J', history(joins('fail'), ...once('r1', 'a'), started('r2', 'p'), untold))).to.have.length(1)
    })
    it('finds a flow that has not ended, unless a master forgot what others went by', () => {
      const open = { e: 'open', flow: 'f', failures: [] } as const
      const forgetful = (apart: boolean) => [fault('begin'), fault('end', { lostFromMs: 2000, apart })]
      expect(found('J', history(open))).to.have.length(1)
      expect(found('J', history(open, ...forgetful(false)))).to.have.length(1)
      expect(found('J', history(open, ...forgetful(true)))).to.deep.equal([])
      const parent = [
        groups,
        joins('fail'),
        publishing('p'),
        published('p'),
        { e: 'rollback', side: 'consumer' } as const,
      ]
      expect(found('L', history(...parent, ...forgetful(true)))).to.deep.equal([])
      expect(found('L', history(...parent))).to.have.length(1)
    })
    it('is no loss: what never runs since something failed that it needs', () => {
      const nobody = [groups, publishing('p'), published('p'), ...dies]
      expect(found('L', history(...nobody, joins('fail')))).to.deep.equal([])
      expect(found('L', history(...nobody, joins('continue')))).to.have.length(1)
    })
  })

  it('C finds a count that is not what is stored, and a message in two places', () => {
    expect(found('C', history(stored(['a'], 2)))).to.have.length(1)
    expect(found('C', history(stored(['a']), { ...stored(['a']), place: 'dead' }))).to.have.length(1)
    expect(found('C', history(stored(['a']), { ...stored(['a']), group: 'h' }))).to.deep.equal([])
  })

  it('C finds a dead letter that is not kept, and what is done and kept all the same', () => {
    const dies = [started('r1', 'a'), { ...settled('r1'), outcome: 'dead' } as const]
    expect(found('C', history(...dies))).to.have.length(1)
    expect(found('C', history(...dies, { ...stored(['a']), place: 'dead' }))).to.deep.equal([])
    expect(found('C', history(...once('r1', 'a'), stored(['a'])))).to.have.length(1)
  })

  it('T finds a part of a batch', () => {
    const batch = ['a', 'b'].map((name) => ({ ...publishing(name), batch: 'x' }))
    expect(found('T', history(...batch, ...once('r1', 'a')))).to.have.length(1)
    expect(found('T', history(...batch))).to.deep.equal([])
    expect(found('T', history(...batch, ...once('r1', 'a'), ...once('r2', 'b')))).to.deep.equal([])
  })

  it('K finds what is left', () => {
    expect(found('K', history({ e: 'left', what: 'a key' }))).to.deep.equal(['a key'])
  })
})
