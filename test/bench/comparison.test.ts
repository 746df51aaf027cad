import { expect } from 'chai'
import { compare } from '../../bench/src/comparison.js'
import { replaceBetween } from '../../bench/src/docs.js'
import { figures } from '../../bench/src/page.js'
import { format, report } from '../../bench/src/report.js'
import { inTurn } from '../../bench/src/rounds.js'
import { run, trial } from './run.js'

const results = run(
  ['busway', 'bullmq'],
  [
    trial('busway', 1, { perSecond: 100 }),
    trial('busway', 0, { perSecond: 300 }),
    trial('busway', 2, { perSecond: 200 }),
    trial('bullmq', 0, { perSecond: 10 }),
    trial('bullmq', 1, { perSecond: 20 }),
    trial('bullmq', 2, { perSecond: 40 }),
  ],
)

describe('a run of the bench', () => {
  it('compares medians, and rounds with the same round of the other side', () => {
    expect(compare(results)[0]?.rows[0]).to.deep.equal({
      metric: 'perSecond',
      figures: [
        { median: 200, min: 100, max: 300 },
        { median: 20, min: 10, max: 40 },
      ],
      ratios: [{ median: 10, min: 5, max: 30 }],
    })
  })

  it('leaves open what was not measured', () => {
    expect(compare(results)[0]?.rows[1]).to.deep.equal({
      metric: 'p50Us',
      figures: [undefined, undefined],
      ratios: [undefined],
    })
  })

  it('has no ratio to what costs nothing', () => {
    const free = run(['busway', 'bullmq'], [trial('busway', 0, { perSecond: 1 }), trial('bullmq', 0, { perSecond: 0 })])
    expect(compare(free)[0]?.rows[0]?.ratios).to.deep.equal([undefined])
  })

  it('is reported with its date, machine, versions and revision', () => {
    expect(report(results)).to.match(/2030-01-02, 2 CPUs \(Some CPU\), node 20.1.0, Redis 7.0.15, .*revision abc/)
    expect(report(results)).to.match(/messages per second +200 \(100-300\) +20 \(10-40\) +10x \(5-30\)/)
  })

  it('says so when the machine had other work to do, or the run was a quick one', () => {
    expect(report(results)).not.to.match(/busy|worth nothing/)
    const { environment } = results
    expect(report({ ...results, environment: { ...environment, loadBefore: 3 } })).to.include(
      'busy before (load 3 on 2 CPUs)',
    )
    expect(report({ ...results, quick: true })).to.include('worth nothing')
  })

  it('becomes a table in the docs, between the marks and nowhere else', () => {
    expect(figures(results)).to.include('| busway | 200 (100-300) | - |\n| bullmq | 20 (10-40), 10x | - |')
    expect(replaceBetween('before <s> old <e> after', '<s>', '<e>', 'new')).to.equal('before <s>\n\nnew\n\n<e> after')
    expect(() => replaceBetween('no marks', '<s>', '<e>', 'new')).to.throw('lacks the lines')
  })

  it('leaves a peer out of what it took no part in', () => {
    const alone = { ...results, trials: results.trials.filter(({ peer }) => peer === 'busway') }
    expect(compare(alone)[0]?.peers).to.deep.equal(['busway'])
    expect(figures(alone)).to.include('| busway | 200 (100-300) | - |').and.not.to.include('| bullmq |')
  })

  it('lets each peer go first in turn', () => {
    expect([0, 1, 2].map((round) => inTurn(['a', 'b'], round))).to.deep.equal([
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b'],
    ])
  })

  it('writes figures with three digits, and large ones whole', () => {
    expect([0.012345, 2.71428, 999.9, 123456.7].map(format)).to.deep.equal(['0.0123', '2.71', '1,000', '123,457'])
  })
})
