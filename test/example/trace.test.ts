import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { longestTrace, treeOf } from '../../services-example/src/launcher/trace.js'
import { type SpanLine, spanFileOf } from '../../services-example/src/telemetry/span-line.js'

describe('a trace', () => {
  const span = (name: string, more: Partial<SpanLine> = {}): SpanLine => ({
    ...{ process: 'feed-1', name, trace: 't', span: name, startMs: 1000, endMs: 1002.5 },
    ...more,
  })

  it('is a tree of its spans, in the order in which they began, whoever wrote them', () => {
    const lines = treeOf([
      span('settle', { parent: 'process', process: 'ledger-2', startMs: 1020, endMs: 1021 }),
      span('late', {
        parent: 'send',
        process: 'alerts-1',
        startMs: 1100,
        endMs: 1101,
        attempt: 2,
        error: 'GatewayRefused',
      }),
      span('send'),
      span('process', { parent: 'send', process: 'ledger-2', startMs: 1010, endMs: 1030, attempt: 1 }),
    ])
    expect(lines).to.deep.equal(
      [
        '  send                               feed-1    0.0 ms + 2.5',
        '  ├ process                          ledger-2  10.0 ms + 20.0',
        '  │ └ settle                         ledger-2  20.0 ms + 1.0',
        '  └ late (attempt 2) ! GatewayRefused  alerts-1  100.0 ms + 1.0',
      ].map((line) =>
        line.replace(
          /^(.*?\S) {2,}(\S+) +(.*)$/,
          (_, tree, process, times) => `${tree.padEnd(37)}  ${process.padEnd(8)}  ${times}`,
        ),
      ),
    )
  })

  it('may have lost its beginning with a process that was killed', () => {
    expect(
      treeOf([span('orphan', { parent: 'gone' }), span('other', { parent: 'gone', startMs: 1001 })]),
    ).to.have.length(2)
  })

  it('is looked for among those of flights, however many spans others have', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'busway-trace-test-'))
    const report = ['send $schedule', 'process $schedule', 'settle $schedule'].map((name) =>
      span(name, { trace: 'report', ...(name.startsWith('send') ? {} : { parent: 'send $schedule' }) }),
    )
    const flight = [span('send flights.departed', { trace: 'flight' })]
    const text = [...report, ...flight].map((line) => JSON.stringify(line)).join('\n')
    await writeFile(join(folder, spanFileOf('feed-1')), text)
    const lines = await longestTrace(folder)
    await rm(folder, { recursive: true })
    expect(lines).to.have.length(1)
    expect(lines?.[0]).to.contain('send flights.departed')
  })
})
