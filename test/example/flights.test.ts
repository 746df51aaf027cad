import { expect } from 'chai'
import { AirportStatistics } from '../../services-example/src/flights/airport-statistics.js'
import { paced } from '../../services-example/src/flights/paced.js'
import { loadFlights, MOST_FLIGHTS } from '../../services-example/src/flights/vega-flights.js'

describe('the flights of the example', () => {
  it('are real ones, numbered from 0', async () => {
    const flights = await loadFlights(2_000)
    expect(flights).to.have.length(2_000)
    expect(flights[0]).to.deep.equal({
      flight: 0,
      date: '2001/01/01 06:55',
      delay: -19,
      distance: 1797,
      origin: 'LAX',
      destination: 'BNA',
    })
    expect(flights[1_999]).to.include({ flight: 1_999, origin: 'DFW' })
  })

  it('are as many as asked for', async () => {
    expect(await loadFlights(500)).to.have.length(500)
    expect(await loadFlights(12_345)).to.have.length(12_345)
  })

  it('are complete also where the data set names no route', async () => {
    const flights = await loadFlights(MOST_FLIGHTS)
    expect(flights).to.have.length(MOST_FLIGHTS)
    expect(
      flights.every(
        ({ date, origin, destination }) => /^2001\/0[1-3]\/\d\d \d\d:\d\d$/.test(date) && origin && destination,
      ),
    ).to.equal(true)
    expect(flights).to.deep.equal(await loadFlights(MOST_FLIGHTS))
  })
})

describe('paced', () => {
  const items = Array.from({ length: 1_000 }, (_, i) => i)

  for (const overMs of [0, 100])
    it(`gives every item once and in order, over ${overMs} ms`, async () => {
      const given: number[] = []
      for await (const some of paced(items, overMs)) {
        expect(some).to.have.length.within(1, 250)
        given.push(...some)
      }
      expect(given).to.deep.equal(items)
    })

  it('ends when it is aborted', async () => {
    const stop = new AbortController()
    const given: number[] = []
    for await (const some of paced(items, 0, stop.signal)) {
      given.push(...some)
      stop.abort()
    }
    expect(given).to.have.length(250)
  })
})

describe("an airport's statistics", () => {
  it('are the mean of its own flights', () => {
    const statistics = new AirportStatistics()
    statistics.add('OSL', 10)
    statistics.add('CDG', 90)
    expect(statistics.add('OSL', 30)).to.equal(20)
  })
})
