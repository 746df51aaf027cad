/** A report every few seconds, of all airports: a part for each, computed by itself, and then the whole. */
import { type Handler, loadBus } from '@busway/bus'
import { flow } from '@busway/plugin-flow'
import { sandbox, sandboxes } from '@busway/plugin-sandbox'
import { schedule } from '@busway/plugin-schedule'
import { schema } from '@busway/plugin-schema'
import { loadFlights } from '../flights/vega-flights.js'
import { isMain } from '../is-main.js'
import type { JournalFile } from '../records/journal-file.js'
import { journal } from '../records/journal-plugin.js'
import type { AirportReport } from '../reports/airport-report.js'
import { REPORTS } from '../reports/due.js'
import { busOf, consumeUntilStopped, LEASE } from '../service.js'
import { settings } from '../settings.js'

const connectReports = (service: string, file: JournalFile) =>
  loadBus({
    ...busOf(service),
    plugins: [journal(file), schema(), schedule({ lease: LEASE }), flow({ lease: LEASE }), sandboxes()],
  })
export type ReportsBus = Awaited<ReturnType<typeof connectReports>>

/** The flow has the id of the message that wants it: should this run twice, the second is a duplicate. */
export const onWanted =
  (bus: Pick<ReportsBus, 'flows'>, airports: readonly string[]): Handler<ReportsBus, 'reports.wanted'> =>
  async ({ id: report }) => {
    const children = airports.map((airport) => ({ topic: 'reports.parts' as const, body: { report, airport } }))
    await bus.flows.publish({ topic: 'reports.assembled', body: { report }, children }, { id: report })
  }

export const onAssembled =
  (file: Pick<JournalFile, 'append'>): Handler<ReportsBus, 'reports.assembled'> =>
  async ({ body }, ctx) => {
    const parts = (await ctx.children()).map(({ result }) => result as AirportReport)
    const flights = parts.reduce((sum, part) => sum + part.flights, 0)
    file.append({ kind: 'report', report: body.report, airports: parts.length, flights })
  }

if (isMain(import.meta)) {
  const airports = [...new Set((await loadFlights(settings.flights())).map(({ origin }) => origin))].sort()
  await consumeUntilStopped('reports', connectReports, async (bus, file) => {
    const computed = sandbox(new URL('../reports/part.js', import.meta.url), { threads: 1, timeout: '20s' })
    const subscriptions = [
      bus.consume('reports.wanted', onWanted(bus, airports), { lease: LEASE }),
      bus.consume('reports.parts', computed, { group: 'parts', concurrency: 1, lease: LEASE }),
      bus.consume('reports.assembled', onAssembled(file), { group: 'assembly', lease: LEASE }),
    ]
    // Each process says so, and the second time it is known.
    await bus.schedules.upsert('reports', {
      topic: 'reports.wanted',
      body: { kind: 'delays' },
      every: settings.reportEveryMs(),
      limit: REPORTS,
    })
    return subscriptions
  })
}
