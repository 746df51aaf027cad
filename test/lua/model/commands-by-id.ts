/** What is done to one message by its id. */
import { createHash } from 'node:crypto'
import { cancel, message as messageScript, type UpdateRequest, update } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeBatch, rewriteMessage } from '../../../packages/bus/src/wire/index.js'
import type { Real } from './real.js'
import type { MessageNumber, Model, ModelGroup } from './state.js'

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

const nothing = { contentType: undefined, headers: undefined }

/** What a change changes: when, its priority, or its bytes alone. */
type Change = { readonly delayMs: number } | { readonly priority: number } | { readonly bytes: true }

class Update implements Command {
  readonly which: number
  readonly change: Change
  readonly repeats: boolean
  constructor(which: number, change: Change, repeats: boolean) {
    this.which = which
    this.change = change
    this.repeats = repeats
  }
  check = () => true
  toString = () => `update(${this.which} ${JSON.stringify(this.change)}${this.repeats ? ', twice' : ''})`

  async run(model: Model, real: Real): Promise<void> {
    const picked = pick(real, this.which)
    if (picked === undefined) return
    const { message, id } = picked
    const where = `${this} of ${message}`
    const known = await real.run(messageScript, { id })
    if (known?.value == null) return
    const request = { id, token: `update-${++tokens}`, ...this.#request(message, known.value) }
    const reply = await real.run(update, request)
    if (reply.status !== 'ok') throw new Error(`${where}: ${reply.status}`)
    const [changed, held] = this.#apply(model, message, reply.nowMs)
    expect(reply, where).to.deep.equal({ status: 'ok', nowMs: reply.nowMs, changed, held })
    if (this.repeats) {
      const again = await real.run(update, request)
      if (again.status === 'ok') this.#apply(model, message, again.nowMs)
      expect(again, `${where} again`).to.include({ status: 'ok' })
      expect(again, `${where} again`).to.have.property('changed').that.is.at.least(changed)
    }
    await real.check(model)
  }

  #request(message: MessageNumber, value: Buffer): Omit<UpdateRequest, 'id' | 'token'> {
    if ('delayMs' in this.change) return { delayMs: this.change.delayMs }
    const replacing = createHash('sha1').update(value).digest('hex')
    // A number with a space behind it is the same number in other bytes.
    const body = `${message} `
    const rewriting = 'priority' in this.change ? this.change : { body: { body, bodyBytes: body.length, ...nothing } }
    const prioritized = 'priority' in this.change
    return { bytes: { value: rewriteMessage(decodeBatch(value), rewriting), replacing, prioritized } }
  }

  /** In how many groups it waited, and by how many it is held. */
  #apply(model: Model, message: MessageNumber, nowMs: number): [changed: number, held: number] {
    const { change } = this
    model.moved.add(message)
    const scheduled = model.scheduled.find((item) => item.message === message)
    if (scheduled !== undefined) {
      if ('priority' in change) model.priorities.set(message, change.priority)
      const rest = model.scheduled.filter((item) => item !== scheduled)
      const dueMs = 'delayMs' in change ? nowMs + change.delayMs : scheduled.dueMs
      model.scheduled = [...rest, { ...scheduled, dueMs, order: model.nextOrder() }]
      return [1, 0]
    }
    if (model.nobody.waiting().includes(message)) {
      if ('delayMs' in change && change.delayMs > 0) {
        model.nobody.withdraw(message)
        model.schedule([message], nowMs + change.delayMs, false)
      } else if ('priority' in change) {
        model.nobody.withdraw(message)
        model.priorities.set(message, change.priority)
        model.keep([message], false)
      }
      return [1, 0]
    }
    let [changed, held] = [0, 0]
    for (const group of model.groups.values()) {
      if (group.given.get(message) !== false || group.dead.has(message)) continue
      if (this.#applyIn(group, model, message, nowMs)) changed++
      else held++
    }
    return [changed, held]
  }

  #applyIn(group: ModelGroup, model: Model, message: MessageNumber, nowMs: number): boolean {
    const { change } = this
    const retried = group.retry.find((item) => item.message === message)
    const isSuspect = group.suspects.includes(message)
    if (!retried && !isSuspect && !group.waiting().includes(message)) return false
    const order = model.nextOrder()
    if ('priority' in change) group.priorities.set(message, change.priority)
    if (retried) {
      group.withdraw(message)
      group.retry.push({ ...retried, dueMs: 'delayMs' in change ? nowMs + change.delayMs : retried.dueMs, order })
    } else if ('delayMs' in change && change.delayMs > 0) {
      group.withdraw(message)
      group.retry.push({ message, dueMs: nowMs + change.delayMs, order, back: true })
    } else if ('priority' in change) {
      group.withdraw(message)
      if (isSuspect) group.suspects.unshift(message)
      else group.join([message])
    }
    return true
  }
}

export const updated = fc
  .tuple(
    fc.nat(20),
    fc.oneof(
      fc.record({ delayMs: fc.constantFrom(0, 5, 60_000) }),
      fc.record({ priority: fc.integer({ min: -2, max: 2 }) }),
      fc.constant({ bytes: true as const }),
    ),
    fc.boolean(),
  )
  .map(([which, change, twice]): Command => new Update(which, change, twice))
