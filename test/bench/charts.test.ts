import { expect } from 'chai'
import { barChart, wrapped } from '../../bench/src/charts/bar-chart.js'
import { charts } from '../../bench/src/charts/index.js'
import { scaleFor } from '../../bench/src/charts/scale.js'
import { element, text } from '../../bench/src/charts/svg.js'
import { run, trial } from './run.js'

const exact = (value: number) => ({ median: value, min: value, max: value })
const widths = (svg: string, kind: string): number[] =>
  [...svg.matchAll(new RegExp(`<rect class="${kind}"[^>]* width="([\\d.]+)"`, 'g'))].map(([, width]) => Number(width))

describe("a run's chart", () => {
  const chart = (bars: Parameters<typeof barChart>[0]['bars']) => barChart({ title: 'Speed', caption: 'per s', bars })

  it('is well-formed whatever a name holds', () => {
    const svg = barChart({
      title: '<b> & "more"',
      caption: "it's <per> s",
      bars: [{ label: 'a<b>&"c"', figure: exact(1) }],
    })
    expect(svg).to.include('&lt;b&gt; &amp; &quot;more&quot;').and.to.include('a&lt;b&gt;&amp;&quot;c&quot;')
    expect(svg.replace(/<[^<>]*>/g, '')).not.to.match(/[<>]/)
    expect(element('a', { href: '"x"' })).to.equal('<a href="&quot;x&quot;"/>')
    expect(text(1, 2.04, 'x')).to.equal('<text x="1" y="2">x</text>')
  })

  it('has bars as long as their medians', () => {
    const svg = chart([
      { label: 'us', figure: exact(200), isOurs: true },
      { label: 'one', figure: exact(100) },
      { label: 'none', figure: exact(0) },
    ])
    const [ours] = widths(svg, 'ours') as [number]
    const [half, zero] = widths(svg, 'bar') as [number, number]
    expect(half).to.be.closeTo(ours / 2, 0.1)
    expect(zero).to.equal(0)
  })

  it('shows from the least to the greatest, and says them', () => {
    const svg = chart([{ label: 'us', figure: { median: 50, min: 25, max: 100 } }])
    const [, from, to] = /M([\d.]+) [\d.]+v8M[\d.]+ [\d.]+H([\d.]+)/.exec(svg) ?? []
    const [bar] = widths(svg, 'bar') as [number]
    expect(Number(to) - Number(from)).to.be.closeTo(bar * 1.5, 0.1)
    expect(svg).to.include('50 (25-100)')
  })

  it('begins at zero and ends at a round number', () => {
    expect(scaleFor(297_461).ticks).to.deep.equal([0, 50_000, 100_000, 150_000, 200_000, 250_000, 300_000])
    expect(scaleFor(300_000).end).to.equal(300_000)
    expect(scaleFor(0.0123).end).to.be.closeTo(0.015, 1e-9)
    expect([0, 50, 100].map((value) => scaleFor(100).at(value, 10))).to.deep.equal([0, 5, 10])
  })

  it('has an axis where everything is zero, or nothing was measured', () => {
    for (const figure of [exact(0), undefined]) expect(chart([{ label: 'us', figure }])).not.to.match(/NaN|Infinity/)
    expect(chart([{ label: 'them', figure: undefined }])).to.include('no figure')
  })

  it('can be read in the dark', () => {
    expect(chart([])).to.include('prefers-color-scheme: dark')
  })

  it('breaks a long title between words', () => {
    expect(wrapped('one two three four', 9)).to.deep.equal(['one two', 'three', 'four'])
  })

  it('has a row for every peer, those that took no part included, but not for uninvited yardsticks', () => {
    const results = run(['busway', 'bullmq', 'round-trip'], [trial('busway', 0, { perSecond: 10 })])
    const svg = charts(results).get('publish') as string
    expect(svg).to.match(/>busway<.*>10<.*>bullmq<.*>no figure</)
    expect(svg).not.to.include('round-trip')
    expect(svg).to.include('more is better')
  })
})
