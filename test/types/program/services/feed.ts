import { start } from './bus.js'

export async function main() {
  await using bus = await start('feed')
  for (const flight of [{ origin: 'OSL', delay: 3, at: new Date() }]) {
    const key = `${flight.origin}:${flight.at.getTime()}`
    await bus.publish('flights.departed', flight, { key: flight.origin, dedupe: { key } })
  }
  const body = { airport: 'ALL', meanDelay: 0 }
  await bus.schedules.upsert('report', { cron: '* * * * *', topic: 'airports.delayed', body })
  const { price } = await bus.request('fares.quote', { from: 'OSL' }, { timeout: '1s' })
  price.toFixed()
}
