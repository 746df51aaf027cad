import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import { GatewayClient } from '../../services-example/src/gateway/client.js'
import { Desk } from '../../services-example/src/gateway/desk.js'
import { type Fate, fateOf } from '../../services-example/src/gateway/fate.js'
import { answerWith } from '../../services-example/src/gateway/http.js'
import { NOTICE_FOR_MS } from '../../services-example/src/gateway/notice.js'

const SEED = 1
const flights = Array.from({ length: 2_000 }, (_, flight) => flight)
function firstWith<K extends Fate['kind']>(kind: K) {
  const flight = flights.find((flight) => fateOf(SEED, flight).kind === kind) as number
  return { flight, fate: fateOf(SEED, flight) as Extract<Fate, { kind: K }> }
}

describe('the fate of a notification', () => {
  it('depends on the seed and the flight alone', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(200_000), (seed, flight) => {
        expect(fateOf(seed, flight)).to.deep.equal(fateOf(seed, flight))
      }),
    )
    const fates = (seed: number) => flights.map((flight) => fateOf(seed, flight).kind)
    expect(fates(1)).not.to.deep.equal(fates(2))
  })

  it('is acceptance for most, flaky for about a quarter, broken for a few', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const share = (kind: Fate['kind']) =>
          flights.filter((flight) => fateOf(seed, flight).kind === kind).length / flights.length
        expect(share('accepted')).to.be.within(0.6, 0.74)
        expect(share('flaky')).to.be.within(0.2, 0.3)
        expect(share('broken')).to.be.within(0.04, 0.12)
      }),
      { numRuns: 20 },
    )
  })
})

describe("the gateway's desk", () => {
  it('accepts a notification, and says so when it comes again', () => {
    const desk = new Desk(SEED)
    const { flight } = firstWith('accepted')
    expect([desk.notify(flight, 'Oslo'), desk.notify(flight, 'Oslo')]).to.deep.equal(['accepted', 'repeated'])
    expect(desk.report()).to.deep.equal({
      accepted: [flight],
      repeated: [flight],
      refused: 0,
      places: [[flight, 'Oslo']],
      withdrawn: [],
      early: [],
    })
  })

  it('refuses a flaky one as often as its fate says, then accepts it', () => {
    const desk = new Desk(SEED)
    const { flight, fate } = firstWith('flaky')
    for (let i = 0; i < fate.refusals; i++) expect(desk.notify(flight, 'Oslo')).to.equal('refused')
    expect(desk.notify(flight, 'Oslo')).to.equal('accepted')
    expect(desk.counts()).to.deep.equal({ accepted: 1, refused: fate.refusals, withdrawn: 0 })
  })

  it('refuses a broken one until it is repaired', () => {
    const desk = new Desk(SEED)
    const { flight } = firstWith('broken')
    for (let i = 0; i < 20; i++) expect(desk.notify(flight, 'Oslo')).to.equal('refused')
    desk.repair()
    expect(desk.notify(flight, 'Oslo')).to.equal('accepted')
  })

  it('takes a notice down once, and remembers those that were not up for long enough', () => {
    let now = 0
    const desk = new Desk(SEED, () => now)
    const [soon, later] = flights.filter((flight) => fateOf(SEED, flight).kind === 'accepted') as [number, number]
    expect(desk.withdraw(soon)).to.equal(false)
    for (const flight of [soon, later]) desk.notify(flight, 'Oslo')
    now = NOTICE_FOR_MS - 2
    expect([desk.withdraw(soon), desk.withdraw(soon)]).to.deep.equal([true, true])
    now = NOTICE_FOR_MS
    expect(desk.withdraw(later)).to.equal(true)
    expect(desk.report()).to.deep.include({ withdrawn: [soon, later], early: [soon] })
    expect(desk.counts()).to.include({ withdrawn: 2 })
  })
})

describe("the gateway's HTTP", () => {
  it('answers 202, 503 and 400, and serves its operator', async () => {
    const server = createServer(answerWith(new Desk(SEED))).listen(0, '127.0.0.1')
    try {
      await once(server, 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const notify = async (body: string) => (await fetch(`${url}/notifications`, { method: 'POST', body })).status
      const broken = JSON.stringify({ flight: firstWith('broken').flight, place: 'Oslo' })
      const accepted = firstWith('accepted').flight
      const withdraw = async (flight: number) =>
        (await fetch(`${url}/notifications/${flight}`, { method: 'DELETE' })).status
      const operator = new GatewayClient(url)

      expect(await notify(JSON.stringify({ flight: accepted, place: 'Oslo' }))).to.equal(202)
      expect(await notify(broken)).to.equal(503)
      expect(await notify('no JSON')).to.equal(400)
      expect(await notify('{}')).to.equal(400)
      expect(await notify(JSON.stringify({ flight: accepted }))).to.equal(400)
      expect(await withdraw(accepted)).to.equal(204)
      expect(await withdraw(firstWith('broken').flight)).to.equal(404)
      expect(await operator.counts()).to.deep.equal({ accepted: 1, refused: 1, withdrawn: 1 })
      await operator.repair()
      expect(await notify(broken)).to.equal(202)
      expect((await operator.report()).accepted).to.have.length(2)
      expect((await fetch(`${url}/nothing`)).status).to.equal(404)
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})
