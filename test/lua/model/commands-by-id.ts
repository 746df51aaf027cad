/** What is done to one message by its id. */
import { cancel } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Real } from './real.js'
import type { MessageNumber, Model } from './state.js'

type Command = fc.AsyncCommand<Model, Real>

/** The `i`-th message from the last that was published, if its id is still its own. */
function pick(real: Real, i: number): { message: MessageNumber; id: string } | undefined {
  const published = real.published()
  const message = published.at(-1 - (i % published.length))
  const id = message === undefined ? undefined : real.idOf(message)
  return message === undefined || id === undefined ? undefined : { message, id }
}

let tokens = 0

class Cancel implements Command {
  readonly which: number
  readonly repeats: boolean
  constructor(which: number, repeats: boolean) {
    this.which = which
    this.repeats = repeats
  }
  check = () => true
  toString = () => `cancel(${this.which}${this.repeats ? ', twice' : ''})`

  async run(model: Model, real: Real): Promise<void> {
    const picked = pick(real, this.which)
    if (picked === undefined) return
    const { message, id } = picked
    const request = { id, token: `cancel-${++tokens}`, tell: false }
    const reply = await real.run(cancel, request)
    expect(reply.cursor, 'so few sessions fit one call').to.equal(undefined)
    const isNobodys = model.endUngiven(message)
    let ended = isNobodys ? 1 : 0
    let held = 0
    for (const group of model.groups.values()) {
      if (group.given.get(message) !== false) continue
      if (group.withdraw(message)) {
        group.end(message)
        ended++
      } else if (!group.dead.has(message)) held++
    }
    if (ended > 0) model.cancelled.add(message)
    const where = `cancel of ${message}`
    expect({ ended: reply.ended, held: reply.held }, where).to.deep.equal({ ended, held })
    if (this.repeats) expect((await real.run(cancel, request)).ended, `${where} again`).to.equal(ended)
    await real.check(model)
  }
}

export const cancelled = fc.tuple(fc.nat(20), fc.boolean()).map(([which, twice]): Command => new Cancel(which, twice))
