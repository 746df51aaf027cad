import { expect } from 'chai'
import { behind, GOALS, type Goal, judge } from '../../bench/src/goals.js'
import { headline } from '../../bench/src/headline.js'
import { figures, goalsTable } from '../../bench/src/page.js'
import { PEER_NAMES } from '../../bench/src/peers/index.js'
import { takesPart } from '../../bench/src/scenario.js'
import { SCENARIOS, scenarioNamed } from '../../bench/src/scenarios/index.js'
import { run, trial } from './run.js'

describe("the bench's goals", () => {
  const rate = (bound: Goal['bound']): Goal => ({ scenario: 'publish', metric: 'perSecond', beside: 'bullmq', bound })
  const results = run(
    ['busway', 'bullmq', 'raw-loop'],
    [
      trial('busway', 0, { perSecond: 100, p50Us: 8 }),
      trial('bullmq', 0, { perSecond: 10, p50Us: 10 }),
      trial('raw-loop', 0, { perSecond: 200 }),
    ],
  )

  it('are of scenarios, figures and peers that are measured', () => {
    for (const { scenario, metric, of = 'busway', beside, besideIn } of GOALS) {
      expect(scenarioNamed(scenario).metrics, scenario).to.include(metric)
      expect(takesPart(of, scenarioNamed(scenario)), `${of} in ${scenario}`).to.equal(true)
      if (beside)
        expect(takesPart(beside, scenarioNamed(besideIn ?? scenario)), `${beside} in ${scenario}`).to.equal(true)
    }
  })

  it('are reached by the ratio of the medians', () => {
    const reached = (bound: Goal['bound']) => judge(results, [rate(bound)])[0]?.isReached
    expect([reached({ atLeast: 10 }), reached({ atLeast: 10.1 })]).to.deep.equal([true, false])
    expect([reached({ atMost: 10 }), reached({ atMost: 9.9 })]).to.deep.equal([true, false])
  })

  it('may be of the figure itself, or of another scenario', () => {
    const absolute: Goal = { scenario: 'publish', metric: 'p50Us', bound: { atMost: 8 } }
    const two = run(['busway'], [...results.trials, trial('busway', 0, { perSecond: 50 }, 'fan')])
    const across: Goal = { ...rate({ atLeast: 0.5 }), scenario: 'fan', beside: 'busway', besideIn: 'publish' }
    expect(judge(two, [absolute, across]).map(({ measured }) => measured?.median)).to.deep.equal([8, 0.5])
  })

  it('are not reached by what was not measured', () => {
    const [verdict] = judge(results, [{ ...rate({ atMost: 1 }), beside: 'groupmq' }])
    expect(verdict).to.include({ measured: undefined, isReached: false })
  })

  it('are told one by one, with what was asked and measured', () => {
    const table = goalsTable(judge(results, [rate({ atLeast: 12 }), { ...rate({ atMost: 1 }), beside: 'groupmq' }]))
    expect(table).to.include('| messages per second | `bullmq` | at least 12x | 10x | **no** |')
    expect(table).to.include('| messages per second | `groupmq` | at most 1x | - | not measured |')
  })

  it('include being ahead of every queue, by the first figure of each scenario; a limit is no queue', () => {
    expect(behind(results)).to.deep.equal({ comparisons: 1, lost: [] })
    const slower = run(
      ['busway', 'bullmq'],
      [trial('busway', 0, { perSecond: 5 }), trial('bullmq', 0, { perSecond: 10 })],
    )
    expect(behind(slower).lost).to.deep.include({
      scenario: 'publish',
      peer: 'bullmq',
      what: 'messages per second',
      times: 0.5,
    })
    expect(figures(slower)).to.include('behind in `publish` (messages per second, `bullmq`: 0.5x)')
  })
})

describe("the README's figures", () => {
  it('are ratios to BullMQ, with date and machine, of what was measured', () => {
    const trials = (['busway', 'bullmq'] as const).map((peer, i) =>
      trial(peer, 0, { perSecond: 123 / (1 + 9 * i) }, 'end-to-end'),
    )
    const text = headline(run(['busway', 'bullmq'], trials))
    expect(text)
      .to.include('BullMQ 1.0.0')
      .and.to.include('2 CPUs on 2030-01-02: 10 times as many from one process to another.')
    expect(text).not.to.include('memory')
  })

  it('name scenarios that exist', () => {
    const trials = SCENARIOS.flatMap(({ name }) =>
      PEER_NAMES.map((peer) => trial(peer, 0, { perSecond: 2, p50Us: 2, bytes: 2 }, name)),
    )
    expect(headline(run(PEER_NAMES, trials)).split(', ').length).to.be.at.least(7)
  })
})
