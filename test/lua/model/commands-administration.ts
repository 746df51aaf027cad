/** Administration, and the clock. */
import { pause, purge, redrive, removeGroup, setConcurrency } from '@busway/lua'
import { expect } from 'chai'
import fc from 'fast-check'
import { parseSequenced } from '../snapshot.js'
import type { Real } from './real.js'
import type { Model, ModelGroup } from './state.js'

type Command = fc.AsyncCommand<Model, Real>

abstract class OfGroup implements Command {
  readonly group: number
  constructor(group: number) {
    this.group = group
  }
  check = (model: Readonly<Model>) => model.groups.size > 0
  abstract toString(): string
  abstract apply(model: Model, real: Real, group: ModelGroup): Promise<void>

  async run(model: Model, real: Real): Promise<void> {
    const groups = [...model.groups.values()]
    await this.apply(model, real, groups[this.group % groups.length] as ModelGroup)
    await real.check(model)
  }
}

/** The clock passes the moment for which things were put off. */
class BecomeDue implements Command {
  readonly howMany: number
  constructor(howMany: number) {
    this.howMany = howMany
  }
  check = () => true
  toString = () => `become due(${this.howMany})`

  async run(model: Model, real: Real): Promise<void> {
    const make = async (key: string, items: { dueMs: number; order: number }[]) => {
      const found = await real.redis.zrange(key, '0', String(this.howMany - 1), 'WITHSCORES')
      const sorted = [...items].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
      let at = 0
      for (let i = 0; i < found.length; i += 2) {
        const member = found[i] as string
        const dueMs = Math.min(Number(found[i + 1]), 1000 + i)
        await real.redis.zadd(key, dueMs, member)
        const { range } = parseSequenced(member)
        const { count } = range
        for (const item of sorted.slice(at, at + count)) item.dueMs = dueMs
        at += count
      }
    }
    await make(real.key('scheduled'), model.scheduled)
    for (const group of model.groups.values()) await make(real.key(`${group.ref}:retry`), group.retry)
    await real.check(model)
  }
}

class Pause extends OfGroup {
  readonly paused: boolean
  constructor(group: number, paused: boolean) {
    super(group)
    this.paused = paused
  }
  toString = () => (this.paused ? 'pause' : 'resume')
  async apply(_model: Model, real: Real, group: ModelGroup): Promise<void> {
    await real.run(pause, { group: group.name, paused: this.paused })
    group.paused = this.paused
  }
}

class SetConcurrency extends OfGroup {
  readonly limit: number | undefined
  constructor(group: number, limit: number | undefined) {
    super(group)
    this.limit = limit
  }
  toString = () => `set concurrency(${this.limit})`
  async apply(_model: Model, real: Real, group: ModelGroup): Promise<void> {
    const limit = this.limit === undefined ? {} : { limit: this.limit }
    expect(await real.run(setConcurrency, { group: group.name, ...limit })).to.deep.equal({ found: true })
    group.limit = this.limit
  }
}

class Redrive extends OfGroup {
  readonly which: 'all' | number
  constructor(group: number, which: 'all' | number) {
    super(group)
    this.which = which
  }
  toString = () => `redrive(${this.which})`

  async apply(model: Model, real: Real, group: ModelGroup): Promise<void> {
    const key = real.key(`${group.ref}:dead`)
    const all = await real.redis.zrange(key, '0', '-1')
    const ids = this.which === 'all' ? all : all.filter((_, i) => (Number(this.which) >> (i % 4)) % 2)
    const { count, more } = await real.run(
      redrive,
      this.which === 'all'
        ? { group: group.name, untilMs: Number.MAX_SAFE_INTEGER, limit: 1000 }
        : { group: group.name, ids: [...ids, 'nobody-1-0.3'], limit: 1000 },
    )
    expect([count, more]).to.deep.equal([ids.length, false])
    const back = ids.map((id) => real.messageAt(id, 0))
    for (const message of back) {
      group.dead.delete(message)
      group.failures.delete(message)
      group.again.add(message)
      model.happened('redriven', message, group)
    }
    group.makeReady(back, true)
  }
}

class Purge extends OfGroup {
  readonly what: 'waiting' | 'dead'
  readonly limit: number
  constructor(group: number, what: 'waiting' | 'dead', limit: number) {
    super(group)
    this.what = what
    this.limit = limit
  }
  toString = () => `purge(${this.what}, ${this.limit} a call)`

  async apply(_model: Model, real: Real, group: ModelGroup): Promise<void> {
    const gone =
      this.what === 'dead'
        ? [...group.dead]
        : [...group.waiting(), ...group.suspects, ...group.retry.map(({ message }) => message)]
    let purged = 0
    for (let more = true; more; ) {
      const reply = await real.run(purge, {
        group: group.name,
        what: this.what,
        limit: this.limit,
        producer: 'purgeAAA',
      })
      purged += reply.count
      more = reply.more
    }
    expect(purged).to.equal(gone.length)
    for (const message of gone) group.end(message)
    if (this.what === 'dead') group.dead.clear()
    else {
      group.ready = []
      group.prioritized.clear()
      group.suspects = []
      group.retry = []
      group.later = []
      if (group.behind) group.behind.cursor = group.behind.end
    }
  }
}

class Remove extends OfGroup {
  readonly limit: number
  constructor(group: number, limit: number) {
    super(group)
    this.limit = limit
  }
  toString = () => `remove group(${this.limit} a call)`

  async apply(model: Model, real: Real, group: ModelGroup): Promise<void> {
    for (let more = true; more; ) {
      more = (await real.run(removeGroup, { group: group.name, limit: this.limit, producer: 'removeAA' })).more
    }
    model.remove(group)
    expect(await real.redis.keys(real.key(`${group.ref}:*`)), 'keys of a group that was removed').to.deep.equal([])
  }
}

const group = fc.nat(2)
export const becameDue = fc.integer({ min: 1, max: 4 }).map((n): Command => new BecomeDue(n))
export const paused = fc.tuple(group, fc.boolean()).map(([g, paused]): Command => new Pause(g, paused))
export const limited = fc
  .tuple(group, fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 3 }))
  .map(([g, limit]): Command => new SetConcurrency(g, limit))
export const redriven = fc
  .tuple(group, fc.oneof(fc.constant('all' as const), fc.nat(15)))
  .map(([g, which]): Command => new Redrive(g, which))
export const purged = fc
  .tuple(group, fc.constantFrom('waiting', 'dead'), fc.integer({ min: 1, max: 4 }))
  .map(([g, what, limit]): Command => new Purge(g, what as 'waiting' | 'dead', limit))
export const removed = fc
  .tuple(group, fc.integer({ min: 1, max: 4 }))
  .map(([g, limit]): Command => new Remove(g, limit))
