/** When schedules are due, with daylight-saving changes in two time zones. What is expected is what Vixie cron's users know, but for the gap: see the page. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  cronProblem,
  isTimezone,
  lastUntil,
  nextAfter,
  type Timing,
} from '../../packages/plugin-schedule/src/timing.js'

const at = (text: string) => Date.parse(text)
const next = (timing: Timing, after: string, count: number) => {
  const times: string[] = []
  for (let fromMs = at(after); times.length < count; ) {
    const dueMs = nextAfter(timing, fromMs)
    if (dueMs === undefined) break
    times.push(new Date(dueMs).toISOString().replace(':00.000Z', 'Z'))
    fromMs = dueMs
  }
  return times
}
const cron = (expression: string, timezone?: string): Timing => ({
  cron: expression,
  startMs: 0,
  ...(timezone === undefined ? {} : { timezone }),
})

describe('a cron expression', () => {
  it('is in UTC without a time zone', () => {
    expect(next(cron('0 3 * * *'), '2026-03-01T12:00:00Z', 2)).to.deep.equal(['2026-03-02T03:00Z', '2026-03-03T03:00Z'])
  })

  describe('in a night in which an hour is left out', () => {
    it('that it names fires once, an hour later by the clock, in Berlin and in New York', () => {
      expect(next(cron('30 2 * * *', 'Europe/Berlin'), '2026-03-28T00:00:00Z', 3)).to.deep.equal([
        '2026-03-28T01:30Z',
        '2026-03-29T01:30Z', // 03:30, there is no 02:30
        '2026-03-30T00:30Z',
      ])
      expect(next(cron('30 2 * * *', 'America/New_York'), '2026-03-07T00:00:00Z', 3)).to.deep.equal([
        '2026-03-07T07:30Z',
        '2026-03-08T07:30Z', // 03:30
        '2026-03-09T06:30Z',
      ])
    })
    it('fires every hour that there is', () => {
      expect(next(cron('0 * * * *', 'Europe/Berlin'), '2026-03-29T00:00:00Z', 3)).to.deep.equal([
        '2026-03-29T01:00Z',
        '2026-03-29T02:00Z',
        '2026-03-29T03:00Z',
      ])
    })
  })

  describe('in a night in which an hour comes twice', () => {
    it('that it names fires once, in Berlin and in New York', () => {
      expect(next(cron('30 2 * * *', 'Europe/Berlin'), '2026-10-24T12:00:00Z', 2)).to.deep.equal([
        '2026-10-25T00:30Z',
        '2026-10-26T01:30Z',
      ])
      expect(next(cron('30 1 * * *', 'America/New_York'), '2026-10-31T12:00:00Z', 2)).to.deep.equal([
        '2026-11-01T05:30Z',
        '2026-11-02T06:30Z',
      ])
    })
    it('fires in both, if it is every hour or every so many minutes', () => {
      expect(next(cron('0 * * * *', 'Europe/Berlin'), '2026-10-24T23:30:00Z', 4)).to.deep.equal([
        '2026-10-25T00:00Z',
        '2026-10-25T01:00Z',
        '2026-10-25T02:00Z',
        '2026-10-25T03:00Z',
      ])
      expect(next(cron('*/30 * * * *', 'America/New_York'), '2026-11-01T04:45:00Z', 5)).to.deep.equal([
        '2026-11-01T05:00Z',
        '2026-11-01T05:30Z',
        '2026-11-01T06:00Z',
        '2026-11-01T06:30Z',
        '2026-11-01T07:00Z',
      ])
    })
  })

  it('with seconds, and by a name', () => {
    expect(nextAfter(cron('*/20 * * * * *'), at('2026-01-01T00:00:05Z'))).to.equal(at('2026-01-01T00:00:20Z'))
    expect(next(cron('@daily'), '2026-01-01T05:00:00Z', 1)).to.deep.equal(['2026-01-02T00:00Z'])
  })

  it('that is wrong is told with its field', () => {
    expect(cronProblem('0 3 * * *')).to.equal(undefined)
    expect(cronProblem('0 24 * * *')).to.contain('its hour is "24"')
    expect(cronProblem('61 * * * *')).to.contain('its minute is "61"')
    expect(cronProblem('0 61 * * * *')).to.contain('its minute is "61"')
    expect(cronProblem('99 * * * * *')).to.contain('its second is "99"')
    expect(cronProblem('0 3 * * someday')).to.contain('its day of the week is "someday"')
    expect(cronProblem('0 3 * 13 *')).to.contain('its month is "13"')
    expect(cronProblem('* *')).to.contain('2 fields')
    expect(cronProblem('0 0 30 2 *')).to.be.a('string')
    expect(cronProblem('@sometimes')).to.be.a('string')
  })

  it('knows as its last time also one that was put off for an hour that is left out', () => {
    const timing = cron('30 2 * * 0', 'Europe/Berlin')
    expect(lastUntil(timing, 0, at('2026-03-29T05:00:00Z'))).to.equal(at('2026-03-29T01:30:00Z'))
  })

  it('knows its last time as well as its next', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('*/7 * * * *', '0 3 * * *', '30 2 * * 0', '0 0 1 * *'),
        fc.constantFrom('Europe/Berlin', 'America/New_York', 'UTC'),
        fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-01-01T00:00:00Z') }),
        (expression, timezone, fromMs) => {
          const timing = cron(expression, timezone)
          const dueMs = nextAfter(timing, fromMs) as number
          expect(dueMs).to.be.above(fromMs)
          const lastMs = lastUntil(timing, 0, dueMs) as number
          expect(lastMs, 'what is due is the last until then').to.equal(dueMs)
        },
      ),
    )
  })
})

describe('an interval', () => {
  const every = (everyMs: number, more: Partial<Timing> = {}): Timing => ({ everyMs, startMs: 1000, ...more })

  it('counts from its start, and never drifts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 1e9 }), fc.integer({ min: 0, max: 1e13 }), (everyMs, fromMs) => {
        const dueMs = nextAfter(every(everyMs), fromMs) as number
        expect(dueMs).to.be.above(fromMs)
        expect((dueMs - 1000) % everyMs).to.equal(0)
        expect(dueMs - Math.max(fromMs, 999)).to.be.at.most(everyMs)
        expect(lastUntil(every(everyMs), 0, dueMs)).to.equal(dueMs)
      }),
    )
  })

  it('begins with its start, and ends with its end', () => {
    expect(nextAfter(every(500), 0)).to.equal(1000)
    expect(nextAfter(every(500, { endMs: 1600 }), 1000)).to.equal(1500)
    expect(nextAfter(every(500, { endMs: 1600 }), 1500)).to.equal(undefined)
    expect(lastUntil(every(500), 1500, 1700)).to.equal(undefined)
  })
})

describe('a time zone', () => {
  it('is one that the system knows', () => {
    expect(isTimezone('Europe/Oslo')).to.equal(true)
    expect(isTimezone('Mars/Olympus')).to.equal(false)
  })
})
