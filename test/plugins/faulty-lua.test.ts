import type { Guard } from '@busway/bus'
import { expect } from 'chai'
import { world as makeWorld } from '../support/world.js'
import { equipped, plugin } from './equipped.js'
import { refusal } from './refusal.js'

describe("a plugin's Lua", () => {
  const world = makeWorld()
  const guarded = (at: Guard['at'], lua: string) =>
    plugin('faulty', (scope) => scope.guard({ at, name: 'g', keys: () => [], args: () => [], lua }))

  const faults: [string, Guard['at'], string, RegExp][] = [
    [
      'does not compile',
      'publish',
      'return {',
      /publish guard 'faulty\/g' does not compile: user_script:\d+: unexpected/,
    ],
    [
      'raises when it is loaded',
      'fetch',
      "error('no')",
      /fetch guard 'faulty\/g' fails when it is loaded: user_script:1: no/,
    ],
    [
      'returns nothing',
      'settle',
      'local nothing = 1',
      /settle guard 'faulty\/g' returns nil; it should return a table with apply/,
    ],
    ['returns a function of another place', 'settle', 'return { check = pcall }', /returns a table with 'check'/],
    [
      'returns a misspelt function',
      'publish',
      'return { aply = pcall }',
      /'aply'; it should return a table with check, apply/,
    ],
    ['returns no function', 'publish', 'return { check = 1 }', /has a number for check; it is a function/],
  ]
  for (const [what, at, lua, message] of faults) {
    it(`that ${what} keeps the bus from starting, and is named`, async () => {
      const bus = equipped(world, [guarded(at, lua)], { publishTimeout: 200 })
      const error = await refusal(() => bus.ready())
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.match(message)
      expect((await refusal(() => bus.publish('orders.paid', 1))).code).to.equal('CONFIG_INVALID')
    })
  }

  it('is refused in a script of its own too', async () => {
    const bus = equipped(world, [
      plugin('faulty', (scope) => {
        scope.script({ name: 's', keys: () => [], lua: 'return {' })
      }),
    ])
    const error = await refusal(() => bus.ready())
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.match(/script 'faulty\/s' does not compile/)
  })

  it('tells the caller of a script what it raised', async () => {
    let run: (() => Promise<unknown>) | undefined
    const bus = equipped(world, [
      plugin('faulty', (scope) => {
        const raise = scope.script<[]>({ name: 's', keys: () => [], lua: "return redis.error_reply('NOTHING here')" })
        run = () => raise('orders.paid')
      }),
    ])
    await bus.ready()
    const error = await refusal(() => run?.())
    expect(error.code).to.equal('REDIS_FAILED')
    expect(error.message).to.match(/NOTHING here/)
  })
})
