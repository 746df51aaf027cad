import { expect } from 'chai'
import { balance } from '../../services-example/src/accounting/books.js'
import type { JournalLine } from '../../services-example/src/records/journal-line.js'
import { BROKEN, entry, LATE, messageOf, report, run, type SoundRun, settled, soundRun, without } from './sound-run.js'

const faultsOf = async ({ expected, evidence }: SoundRun) =>
  (await balance(expected, evidence)).faults.map(({ text }) => text)

const about =
  (kind: JournalLine['kind'], group: string | undefined, flight: number) =>
  (line: JournalLine): boolean => {
    if (line.kind !== kind || ('group' in line && line.group !== group)) return false
    if (line.kind === 'report') return false
    return 'flight' in line ? line.flight === flight : line.message.endsWith(`-${flight}`)
  }

describe('the books of the example', () => {
  it('balance for a sound run', async () => {
    const { expected, evidence } = soundRun()
    const { rows, faults } = await balance(expected, evidence)
    expect(faults).to.deep.equal([])
    expect(rows.map(({ group, published, settled }) => ({ group, published, settled }))).to.deep.equal([
      { group: 'ledger', published: 6, settled: 6 },
      { group: 'delays', published: 6, settled: 6 },
      { group: 'alerts', published: 2, settled: 2 },
      { group: 'notices', published: 2, settled: 2 },
    ])
    expect(rows[2]).to.include({ retried: 1, dead: 1, redriven: 1, rerun: 0, lost: 0, duplicated: 0, p50Ms: 5 })
  })

  describe('do not balance', () => {
    it('when a report was not assembled, or of fewer than all parts', async () => {
      const lost = without(soundRun(), (line) => line.kind === 'report' && line.report === 'reports:1')
      expect(await faultsOf(lost)).to.deep.equal(['lost in reports: 1 report due and never assembled'])
      const spoiled = soundRun()
      spoiled.evidence.lines.push({ process: 'reports-2', line: { ...report(0), airports: 2 } })
      spoiled.evidence.killed.add('reports-1')
      expect(await faultsOf(spoiled)).to.deep.equal([
        'unexplained in reports: 1 report without all airports and all flights',
      ])
    })

    it('when a report was assembled again, unless a process was killed', async () => {
      const again = soundRun()
      again.evidence.lines.push({ process: 'reports-2', line: report(0) })
      expect(await faultsOf(again)).to.deep.equal(['duplicated in reports: 1 report assembled again'])
      again.evidence.killed.add('reports-1')
      expect(await faultsOf(again)).to.deep.equal([])
    })

    it('when a flight was never published', async () => {
      const faults = await faultsOf(without(soundRun(), about('published', undefined, 3)))
      expect(faults).to.include('lost in feed: flight 3 never published')
    })

    it('when a flight was published twice', async () => {
      const spoiled = soundRun()
      const again = { kind: 'published', topic: 'flights.departed', message: 'f-9', flight: 3 } as const
      spoiled.evidence.lines.push({ process: 'feed-1', line: again })
      expect(await faultsOf(spoiled)).to.include('duplicated in feed: flight 3 published twice')
    })

    it('when the ledger misses a flight, though its message is settled', async () => {
      const faults = await faultsOf(without(soundRun(), about('entry', undefined, 3)))
      expect(faults).to.deep.equal(['lost in ledger: flight 3 without an entry'])
    })

    it('when a message never reached a group', async () => {
      const spoiled = without(without(soundRun(), about('run', 'delays', 3)), about('settled', 'delays', 3))
      const { expected, evidence } = spoiled
      const { rows, faults } = await balance(expected, evidence)
      expect(faults.map(({ text }) => text)).to.deep.equal([
        `lost in delays: 1 message (${messageOf(3)}) published and never run`,
      ])
      expect(rows[1]).to.include({ published: 6, settled: 5, lost: 1 })
    })

    it('when a flight has a second effect that no rerun explains', async () => {
      const spoiled = soundRun()
      spoiled.evidence.lines.push({ process: 'ledger-1', line: entry(3) })
      expect(await faultsOf(spoiled)).to.deep.equal([
        'duplicated in ledger: flight 3 entered more often than runs can explain',
      ])
    })

    it('when a message was settled twice in a group', async () => {
      const spoiled = soundRun()
      spoiled.evidence.lines.push(
        { process: 'delays-2', line: run('delays', 3) },
        { process: 'delays-2', line: settled('delays', 3) },
      )
      const { expected, evidence } = spoiled
      const { rows, faults } = await balance(expected, evidence)
      expect(faults.map(({ text }) => text)).to.deep.equal(['duplicated in delays: flight 3 settled more than once'])
      expect(rows[1]).to.include({ duplicated: 1 })
    })

    it('when a process that lived ran a message and never settled it', async () => {
      const spoiled = soundRun()
      spoiled.evidence.lines.push({ process: 'ledger-2', line: run('ledger', 3) })
      expect(await faultsOf(spoiled)).to.deep.equal([
        'unexplained in ledger: flight 3 with a run and no settle (or the reverse) in a process that was not killed',
      ])
    })

    it('when an alert is missing, though its flight is settled', async () => {
      const faults = await faultsOf(
        without(without(soundRun(), about('run', 'alerts', LATE)), about('settled', 'alerts', LATE)),
      )
      expect(faults).to.include(`lost in alerts: flight ${LATE} very late and never alerted`)
    })

    it('when there is an alert without cause', async () => {
      const spoiled = soundRun()
      spoiled.evidence.lines.push(
        { process: 'alerts-1', line: run('alerts', 5) },
        { process: 'alerts-1', line: settled('alerts', 5) },
      )
      expect(await faultsOf(spoiled)).to.deep.equal(['stray in alerts: flight 5 alerted without cause'])
    })

    it('when one flight was alerted by two messages', async () => {
      const spoiled = soundRun()
      const message = 'a-second'
      spoiled.evidence.lines.push(
        { process: 'alerts-1', line: { ...run('alerts', LATE), message } },
        { process: 'alerts-1', line: { ...settled('alerts', LATE), message } },
      )
      expect(await faultsOf(spoiled)).to.deep.equal([`duplicated in alerts: flight ${LATE} alerted by two messages`])
    })

    it('when the gateway never accepted an alert', async () => {
      const spoiled = soundRun()
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, accepted: [BROKEN] }
      expect(await faultsOf(spoiled)).to.deep.equal([`lost in alerts: flight ${LATE} never accepted by the gateway`])
    })

    it('when the gateway was notified again and no rerun explains it', async () => {
      const spoiled = soundRun()
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, repeated: [LATE] }
      expect(await faultsOf(spoiled)).to.deep.equal([
        `duplicated in alerts: flight ${LATE} notified again after the gateway had accepted`,
      ])
    })

    it('when refusals and failures differ', async () => {
      const spoiled = soundRun()
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, refused: 3 }
      expect(await faultsOf(spoiled)).to.deep.equal([
        'unexplained in alerts: the gateway refused 3 times, and alerts failed 2 times for it',
      ])
    })

    it('when a dead letter was not to be expected, or an expected one is missing', async () => {
      const spoiled = soundRun()
      spoiled.evidence.deadLetters = [LATE]
      expect(await faultsOf(spoiled)).to.deep.equal([
        `unexplained in alerts: flight ${BROKEN} broken and no dead letter`,
        `unexplained in alerts: flight ${LATE} dead and not broken`,
      ])
    })

    it('when fewer dead letters were redriven than there were', async () => {
      const spoiled = soundRun()
      spoiled.evidence.redriven = 0
      expect(await faultsOf(spoiled)).to.deep.equal(['unexplained in alerts: 1 dead letter, and 0 redriven'])
    })

    it('when a notice was never taken down, though its alert is settled', async () => {
      const spoiled = without(without(soundRun(), about('run', 'notices', LATE)), about('settled', 'notices', LATE))
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, withdrawn: [BROKEN] }
      expect(await faultsOf(spoiled)).to.deep.equal([`lost in notices: flight ${LATE} alerted and never taken down`])
    })

    it('when a notice was ended by two messages', async () => {
      const spoiled = soundRun()
      const message = 'n-second'
      spoiled.evidence.lines.push(
        { process: 'alerts-1', line: { ...run('notices', LATE), message } },
        { process: 'alerts-1', line: { ...settled('notices', LATE), message } },
      )
      expect(await faultsOf(spoiled)).to.deep.equal([`duplicated in notices: flight ${LATE} ended by two messages`])
    })

    it('when a notice was taken down too early', async () => {
      const spoiled = soundRun()
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, early: [BROKEN] }
      expect(await faultsOf(spoiled)).to.deep.equal([
        `unexplained in notices: flight ${BROKEN} taken down before it was time`,
      ])
    })

    it('when a notice named the place of another request', async () => {
      const spoiled = soundRun()
      spoiled.evidence.gateway = { ...spoiled.evidence.gateway, places: [[LATE, 'Paris, FR']] }
      expect(await faultsOf(spoiled)).to.deep.equal([
        `unexplained in notices: flight ${LATE} notified with another place than its own`,
      ])
    })

    it('when the bus still holds something', async () => {
      const spoiled = soundRun()
      spoiled.evidence.left = { ...spoiled.evidence.left, delays: { unsettled: 1, dead: 0 } }
      expect(await faultsOf(spoiled)).to.deep.equal([
        'unexplained in delays: at the end the bus still holds 1 message and 0 dead letters',
      ])
    })
  })

  describe('after a kill', () => {
    /** ledger-1 was killed between the entry of flight 3 and its settle. */
    function killed(): SoundRun {
      const cut = without(soundRun(), about('settled', 'ledger', 3))
      cut.evidence.killed.add('ledger-1')
      return cut
    }

    it('balance when another process ran the message again, and show that', async () => {
      const { expected, evidence } = killed()
      evidence.lines.push(
        { process: 'ledger-2', line: { ...run('ledger', 3), attempt: 2, redelivered: true } },
        { process: 'ledger-2', line: entry(3) },
        { process: 'ledger-2', line: settled('ledger', 3) },
      )
      const { rows, faults } = await balance(expected, evidence)
      expect(faults).to.deep.equal([])
      expect(rows[0]).to.include({ published: 6, settled: 6, rerun: 1, lost: 0, duplicated: 0 })
    })

    it('balance when the settle got through unseen', async () => {
      const { expected, evidence } = killed()
      const { rows, faults } = await balance(expected, evidence)
      expect(faults).to.deep.equal([])
      expect(rows[0]).to.include({ settled: 6, rerun: 0 })
    })

    it('do not balance when what the killed process had settled was run again', async () => {
      const spoiled = soundRun()
      spoiled.evidence.killed.add('ledger-1')
      spoiled.evidence.lines.push(
        { process: 'ledger-2', line: run('ledger', 3) },
        { process: 'ledger-2', line: settled('ledger', 3) },
      )
      expect(await faultsOf(spoiled)).to.deep.equal(['duplicated in ledger: flight 3 settled more than once'])
    })

    it('do not balance when there are more entries than reruns', async () => {
      const spoiled = killed()
      spoiled.evidence.lines.push({ process: 'ledger-2', line: entry(3) })
      expect(await faultsOf(spoiled)).to.deep.equal([
        'duplicated in ledger: flight 3 entered more often than runs can explain',
      ])
    })
  })

  it('show a settle that was refused since the lease was lost as a rerun', async () => {
    const { expected, evidence } = soundRun()
    evidence.lines.push(
      { process: 'delays-2', line: run('delays', 3) },
      { process: 'delays-2', line: { ...settled('delays', 3), refused: true } },
    )
    const { rows, faults } = await balance(expected, evidence)
    expect(faults).to.deep.equal([])
    expect(rows[1]).to.include({ settled: 6, rerun: 1, duplicated: 0 })
  })
})
