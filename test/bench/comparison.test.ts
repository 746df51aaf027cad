import { expect } from 'chai'
import { compare } from '../../bench/src/comparison.js'
import { figures, replaceBetween } from '../../bench/src/docs.js'
import { format, report } from '../../bench/src/report.js'
import type { Results } from '../../bench/src/results.js'
import { inTurn } from '../../bench/src/rounds.js'

const trial = (peer: 'busway' | 'bullmq', round: number, perSecond: number) => ({
  peer,
  round,
  scenario: 'publish',
  version: '1.0.0',
  messages: 1000,
  seconds: 1,
  metrics: { perSecond },
  commands: {},
})

const results: Results = {
  format: 1,
  environment: {
    date: '2030-01-02T03:04:05.678Z',
    revision: 'abc',
    node: 'v20.1.0',
    redis: '7.0.15',
    cpu: 'Some CPU',
    cpus: 2,
    memoryGb: 8,
    loadBefore: 0,
  },
  rounds: 3,
  seconds: 1,
  messages: null,
  bodyBytes: 208,
  quick: false,
  peers: ['busway', 'bullmq'].map((name) => ({ name, version: '1.0.0' })),
  scenarios: [{ name: 'publish', title: 'publish it', metrics: ['perSecond', 'p50Us'] }],
  trials: [
    trial('busway', 1, 100),
    trial('busway', 0, 300),
    trial('busway', 2, 200),
    trial('bullmq', 0, 10),
    trial('bullmq', 1, 20),
    trial('bullmq', 2, 40),
  ],
  failures: [],
}

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
    expect(figures(results)).to.include('| publish it | messages per second | 200 (100-300) | 20 (10-40) | 10x |')
    expect(replaceBetween('before <s> old <e> after', '<s>', '<e>', 'new')).to.equal('before <s>\n\nnew\n\n<e> after')
    expect(() => replaceBetween('no marks', '<s>', '<e>', 'new')).to.throw('lacks the lines')
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
