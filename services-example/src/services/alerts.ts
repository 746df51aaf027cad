/** Puts up notices about delayed airports, through a gateway that refuses now and then, and takes them down after a while. */
import { type Handler, UnrecoverableError } from '@busway/bus'
import { type Describe, describer } from '../directory/describe.js'
import { NOTICE_FOR_MS } from '../gateway/notice.js'
import { isMain } from '../is-main.js'
import { type AppBus, connect, consumeUntilStopped, LEASE } from '../service.js'
import { settings } from '../settings.js'

/** The gateway would not take a notification now. */
export class GatewayRefused extends Error {
  override readonly name = 'GatewayRefused'
}

export const onDelayed =
  (gatewayUrl: string, describe: Describe): Handler<AppBus, 'airports.delayed'> =>
  async ({ body }, ctx) => {
    const { airport, flight } = body
    const { city, state } = await describe(airport)
    const answer = await fetch(`${gatewayUrl}/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, place: `${city}, ${state}` }),
      signal: ctx.signal,
    })
    const text = await answer.text()
    // A notification that the gateway does not understand today, it will not understand tomorrow.
    if (answer.status === 400) throw new UnrecoverableError(text)
    if (!answer.ok) throw new GatewayRefused(`The gateway answered ${answer.status}: ${text}`)
    // Nobody need remember it: the message waits in Redis, whatever becomes of this process.
    await ctx.publish('notices.ended', { airport, flight }, { delay: NOTICE_FOR_MS })
  }

export const onEnded =
  (gatewayUrl: string): Handler<AppBus, 'notices.ended'> =>
  async ({ body }, ctx) => {
    const answer = await fetch(`${gatewayUrl}/notifications/${body.flight}`, { method: 'DELETE', signal: ctx.signal })
    if (!answer.ok) throw new GatewayRefused(`The gateway answered ${answer.status}: ${await answer.text()}`)
  }

if (isMain(import.meta))
  consumeUntilStopped('alerts', connect, (bus) => [
    bus.consume('airports.delayed', onDelayed(settings.gatewayUrl(), describer(bus)), {
      concurrency: 20,
      lease: LEASE,
      timeout: '2s',
      retry: { attempts: 5, delay: '100ms', maxDelay: '1s' },
    }),
    bus.consume('notices.ended', onEnded(settings.gatewayUrl()), { group: 'notices', lease: LEASE, timeout: '2s' }),
  ])
