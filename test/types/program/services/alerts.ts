import { start } from './bus.js'

export async function main() {
  const bus = await start('alerts')
  bus.consume('airports.delayed', async ({ body, attempt }, ctx) => {
    const response = await fetch('http://gateway.test', {
      method: 'POST',
      body: JSON.stringify(body),
      signal: ctx.signal,
    })
    if (response.status === 429) throw new Error(`attempt ${attempt}`)
  })
  bus.consume('fares.quote', () => ({ price: 9 }))
}
