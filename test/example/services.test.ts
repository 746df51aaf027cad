import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus, RequestError, UnrecoverableError } from '@busway/bus'
import { schema } from '@busway/plugin-schema'
import { idle, startRedis, testContext, testMessage } from '@busway/testing'
import { expect } from 'chai'
import { loadAirports } from '../../services-example/src/directory/airports.js'
import { describer } from '../../services-example/src/directory/describe.js'
import { AirportStatistics } from '../../services-example/src/flights/airport-statistics.js'
import { NOTICE_FOR_MS } from '../../services-example/src/gateway/notice.js'
import { Entries } from '../../services-example/src/records/entries.js'
import { JournalFile } from '../../services-example/src/records/journal-file.js'
import { type Noted, readJournals } from '../../services-example/src/records/read-journals.js'
import { unsettledRuns } from '../../services-example/src/records/unsettled-runs.js'
import type { AppBus } from '../../services-example/src/service.js'
import { GatewayRefused, onDelayed, onEnded } from '../../services-example/src/services/alerts.js'
import { onFlight as onFlightInDelays } from '../../services-example/src/services/delays.js'
import { onDescribed } from '../../services-example/src/services/directory.js'
import { onFlight as onFlightInLedger } from '../../services-example/src/services/ledger.js'
import { type AirportDelayed, topics } from '../../services-example/src/topics.js'
import { run, settled } from './sound-run.js'

const flight = (delay: number) =>
  testMessage<AppBus, 'flights.departed'>('flights.departed', {
    flight: 17,
    date: '2001/01/01 06:55',
    delay,
    distance: 600,
    origin: 'OSL',
    destination: 'CDG',
  })

describe('the ledger', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'busway-ledger-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('enters a flight under its number and message', async () => {
    const handler = onFlightInLedger(new Entries(new JournalFile(folder, 'ledger-1')))
    const message = flight(0)
    await handler(message, testContext<AppBus>())
    expect(await linesIn(folder)).to.deep.equal([
      { process: 'ledger-1', line: { kind: 'entry', flight: 17, message: message.id } },
    ])
  })

  it('enters many at once, each on disk when its handler returns', async () => {
    const entries = new Entries(new JournalFile(folder, 'ledger-1'))
    await Promise.all(Array.from({ length: 300 }, (_, number) => entries.enter(number, `m-${number}`)))
    expect(await linesIn(folder)).to.have.length(300)
  })

  it("leaves a trace of runs that came to no settle, readable from another process' side", async () => {
    const file = new JournalFile(folder, 'ledger-1')
    expect(await unsettledRuns(folder, 'ledger-1')).to.equal(0)
    file.append(run('ledger', 1))
    file.append(run('ledger', 2))
    file.append(settled('ledger', 1))
    expect(await unsettledRuns(folder, 'ledger-1')).to.equal(1)
  })

  async function linesIn(folder: string): Promise<Noted[]> {
    const lines: Noted[] = []
    for await (const noted of readJournals(folder)) lines.push(noted)
    return lines
  }
})

describe('delays', () => {
  it('stages an alert for a flight that is an hour late, with the mean of its airport', async () => {
    const statistics = new AirportStatistics()
    statistics.add('OSL', 20)
    const ctx = testContext<AppBus>()
    await onFlightInDelays(statistics)(flight(60), ctx)
    expect(ctx.published).to.deep.equal([
      {
        topic: 'airports.delayed',
        body: { airport: 'OSL', flight: 17, delay: 60, meanDelay: 40 },
        options: { key: 'OSL', priority: 1 },
      },
    ])
  })

  it('stages nothing for one that is less late', async () => {
    const ctx = testContext<AppBus>()
    await onFlightInDelays(new AirportStatistics())(flight(59), ctx)
    expect(ctx.published).to.deep.equal([])
  })

  it('tell those who wait for airports, on a bus', async () => {
    await using redis = await startRedis()
    await using bus = createBus({ service: 'delays', topics, redis: redis.url, logger: false, plugins: [schema()] })
    const told: AirportDelayed[] = []
    bus.consume('flights.departed', onFlightInDelays(new AirportStatistics()))
    bus.consume('flights.departed', () => {}, { group: 'ledger' })
    bus.consume('airports.delayed', ({ body }) => void told.push(body), { group: 'alerts' })
    for (const { body } of [flight(59), flight(61), flight(90)]) await bus.publish('flights.departed', body)
    await idle(bus, ['flights.departed', 'airports.delayed'])
    expect(told.map(({ delay }) => delay)).to.deep.equal([61, 90])
  })
})

describe('the directory', () => {
  it('answers requests over a bus, and each airport is asked for once', async () => {
    const airports = await loadAirports()
    await using redis = await startRedis()
    await using bus = createBus({ service: 'alerts', topics, redis: redis.url, logger: false, plugins: [schema()] })
    let asked = 0
    const answer = onDescribed(airports)
    bus.consume(
      'airports.described',
      (message, ctx) => {
        asked++
        return answer(message, ctx)
      },
      { group: 'directory' },
    )
    const describe = describer(bus)
    const places = await Promise.all(['ORD', 'ORD', 'JFK'].map(describe))
    expect(places.map(({ city, state }) => `${city}, ${state}`)).to.deep.equal([
      'Chicago, IL',
      'Chicago, IL',
      'New York, NY',
    ])
    expect(asked).to.equal(2)
  })

  it('says at once that it knows no such airport, and may be asked again', async () => {
    await using redis = await startRedis()
    await using bus = createBus({ service: 'alerts', topics, redis: redis.url, logger: false, plugins: [schema()] })
    bus.consume('airports.described', onDescribed(new Map()), { group: 'directory' })
    const describe = describer(bus)
    for (let i = 0; i < 2; i++) {
      const error = await describe('OSL').catch((error: unknown) => error)
      expect(error).to.be.instanceOf(RequestError).with.property('message', 'No airport is called OSL')
    }
  })

  it('reads names with commas and quotes', async () => {
    const airports = await loadAirports()
    expect(airports.size).to.be.above(3_000)
    expect([...airports.values()].filter(({ state }) => !/^([A-Z]{2}|NA)$/.test(state))).to.deep.equal([])
  })
})

describe('notices', () => {
  const ended = testMessage<AppBus, 'notices.ended'>('notices.ended', { airport: 'OSL', flight: 17 })

  it('are taken down', async () => {
    const asked: string[] = []
    await withGateway(
      (request, response) => {
        asked.push(`${request.method} ${request.url}`)
        response.writeHead(204).end()
      },
      (url) => onEnded(url)(ended, testContext<AppBus>()),
    )
    expect(asked).to.deep.equal(['DELETE /notifications/17'])
  })

  it('are tried again when the gateway fails', async () => {
    const error = await withGateway(
      (_, response) => response.writeHead(500).end('no'),
      (url) => Promise.resolve(onEnded(url)(ended, testContext<AppBus>())).catch((error: unknown) => error),
    )
    expect(error).to.be.instanceOf(GatewayRefused)
  })
})

describe('alerts', () => {
  const delayed = testMessage<AppBus, 'airports.delayed'>('airports.delayed', {
    airport: 'OSL',
    flight: 17,
    delay: 60,
    meanDelay: 40,
  })

  const describeOslo = async () => ({ name: 'Gardermoen', city: 'Oslo', state: 'NO' })

  it('are done when the gateway accepts, and have their notice taken down in a while', async () => {
    const received: string[] = []
    const ctx = testContext<AppBus>()
    await withGateway(
      (request, response) => {
        request.on('data', (part) => received.push(String(part)))
        request.on('end', () => response.writeHead(202).end())
      },
      (url) => onDelayed(url, describeOslo)(delayed, ctx),
    )
    expect(JSON.parse(received.join(''))).to.include({ flight: 17, airport: 'OSL', place: 'Oslo, NO' })
    expect(ctx.published).to.deep.equal([
      { topic: 'notices.ended', body: { airport: 'OSL', flight: 17 }, options: { delay: NOTICE_FOR_MS } },
    ])
  })

  it('are tried again when it refuses', async () => {
    const error = await failureWith(503)
    expect(error).to.be.instanceOf(GatewayRefused)
  })

  it('are dead at once when it does not understand', async () => {
    const error = await failureWith(400)
    expect(error).to.be.instanceOf(UnrecoverableError)
  })

  const failureWith = (status: number) =>
    withGateway(
      (_, response) => response.writeHead(status).end('no'),
      (url) =>
        Promise.resolve(onDelayed(url, describeOslo)(delayed, testContext<AppBus>())).catch((error: unknown) => error),
    )
})

async function withGateway<T>(listener: RequestListener, use: (url: string) => T): Promise<Awaited<T>> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}
