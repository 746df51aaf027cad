/** Tells the world about delayed airports, through a gateway that refuses now and then. */
import { type Handler, UnrecoverableError } from '@busway/bus'
import { isMain } from '../is-main.js'
import { type AppBus, consumeUntilStopped, LEASE } from '../service.js'
import { settings } from '../settings.js'

/** The gateway would not take a notification now. */
export class GatewayRefused extends Error {
  override readonly name = 'GatewayRefused'
}

export const onDelayed =
  (gatewayUrl: string): Handler<AppBus, 'airports.delayed'> =>
  async ({ body }, ctx) => {
    const answer = await fetch(`${gatewayUrl}/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: ctx.signal,
    })
    const text = await answer.text()
    if (answer.ok) return
    // A notification that the gateway does not understand today, it will not understand tomorrow.
    if (answer.status === 400) throw new UnrecoverableError(text)
    throw new GatewayRefused(`The gateway answered ${answer.status}: ${text}`)
  }

if (isMain(import.meta))
  consumeUntilStopped('alerts', (bus) =>
    bus.consume('airports.delayed', onDelayed(settings.gatewayUrl()), {
      concurrency: 20,
      lease: LEASE,
      timeout: '2s',
      retry: { attempts: 5, delay: '100ms', maxDelay: '1s' },
    }),
  )
