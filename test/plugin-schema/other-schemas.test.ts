import { expect } from 'chai'
import * as v from 'valibot'
import { z } from 'zod'
import { refusal } from '../plugins/refusal.js'
import { Received } from '../support/received.js'
import { world as makeWorld } from '../support/world.js'
import { bare, busOf, deadLetters } from './equipped.js'

describe('bodies by other schemas, with the plugin', () => {
  const world = makeWorld()

  const kinds = [
    ['zod', z.object({ id: z.string(), at: z.coerce.date(), count: z.number().default(1) })],
    [
      'valibot',
      v.object({
        id: v.string(),
        at: v.pipe(
          v.union([v.date(), v.string()]),
          v.transform((at) => new Date(at)),
        ),
        count: v.optional(v.number(), 1),
      }),
    ],
  ] as const

  for (const [name, body] of kinds) {
    it(`are checked and made by ${name} where they are published, and where they are consumed`, async () => {
      const bus = busOf(world, body as never)
      const seen = new Received<unknown>()
      await bus.consume('orders', (message) => seen.add([message.contentType, message.body])).ready
      const at = new Date(1_700_000_000_123)
      await bus.publish('orders', { id: '1', at })
      // JSON has no dates: the consumer's schema makes it one again.
      expect((await seen.count(1))[0]).to.deep.equal(['application/json', { id: '1', at, count: 1 }])
      const error = await refusal(() => bus.publish('orders', { at }))
      expect([error.code, /body\.id/.test(error.message)]).to.deep.equal(['INVALID_BODY', true])
    })

    it(`are dead letters where a consumer's ${name} does not take them, and its handler never sees them`, async () => {
      const bus = busOf(world, body as never)
      const seen = new Received<unknown>()
      await bus.consume('orders', (message) => seen.add(message.body)).ready
      await bare(world, []).publish('orders', { id: 1, at: 0 })
      const [dead] = await deadLetters(world, bus)
      expect(dead?.reason).to.equal('undecodable')
      expect(dead?.error.message).to.match(/body\.id: /)
      expect(seen.items).to.deep.equal([])
    })
  }
})
