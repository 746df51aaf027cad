/** What one group holds (or what no group has yet), message by message: each in one place, none that is finished, and marks that agree with the lists. */
import { type Mark, nameOf, resolve } from './marks.js'
import { keyAt, type Range, type TopicSnapshot } from './snapshot.js'

export interface Holder {
  readonly ref: string
  readonly done: ReadonlyMap<string, string>
  readonly marks: ReadonlyMap<string, Mark>
}

export class Holding {
  readonly #topic: TopicSnapshot
  readonly #holder: Holder
  readonly #owe: (batch: string, count: number) => void
  readonly #say: (what: string) => void
  /** Message -> where it is. */
  readonly #places = new Map<string, string>()
  /** Name -> places in lists that are nothing any more. */
  readonly #stale = new Map<string, number>()
  readonly #here = new Set<string>()
  /** Of messages without a key. */
  #countedStale = 0

  constructor(
    topic: TopicSnapshot,
    holder: Holder,
    owe: (batch: string, count: number) => void,
    say: (what: string) => void,
  ) {
    this.#topic = topic
    this.#holder = holder
    this.#owe = owe
    this.#say = say
  }

  has(batch: string): boolean {
    return this.#places.has(`${batch}[0]`)
  }

  /** Of what is in no list. Answers the messages that are not finished. */
  hold(range: Range, where: string): number {
    checkRange(this.#topic, range, `${this.#holder.ref} ${where}`, this.#say)
    const done = this.#holder.done.get(range.batch)
    let live = 0
    for (let index = range.from; index < range.from + range.count; index++) {
      if (done?.[index] === '1') continue
      this.#hold(range.batch, index, where)
      live++
    }
    return live
  }

  /** Of what waits in a list. Answers the messages that are counted there, whatever they are. */
  holdListed(range: Range, where: string): number {
    const { ref, marks, done } = this.#holder
    const waiting = resolve(marks, range)
    if (waiting.some(({ kind }) => kind === 'plain')) checkRange(this.#topic, range, `${ref} ${where}`, this.#say)
    for (const { name, index, kind } of waiting) {
      const isDone = done.get(range.batch)?.[index] === '1'
      if (range.total > 1 && this.#topic.batches.has(range.batch) && isDone !== (kind !== 'plain'))
        this.#say(`${ref}: ${range.batch}[${index}] in ${where} is ${kind} and ${isDone ? 'done' : 'not done'}`)
      if (kind === 'stale') {
        this.#stale.set(name, (this.#stale.get(name) ?? 0) + 1)
        if (keyAt(range, index) === undefined) this.#countedStale++
      } else if (kind === 'here') {
        this.#here.add(name)
        this.#hold(name, 0, where)
      } else this.#hold(range.batch, index, where)
    }
    return range.count
  }

  /** `counted`: as the state says it. */
  checkMarks(counted: { marks: string | undefined; stale: string | undefined }): void {
    const { ref, marks } = this.#holder
    for (const [name, { isHere, left }] of marks) {
      if (isHere && !this.#here.has(name)) this.#say(`${ref}: ${name} is marked as being where it is not`)
      if (!isHere && left !== (this.#stale.get(name) ?? 0))
        this.#say(`${ref}: ${left} places of ${name} are marked as stale, there are ${this.#stale.get(name) ?? 0}`)
    }
    if (Number(counted.marks ?? 0) !== marks.size)
      this.#say(`${ref}: marks are ${counted.marks}, there are ${marks.size}`)
    if (Number(counted.stale ?? 0) !== this.#countedStale)
      this.#say(`${ref}: stale are ${counted.stale}, there are ${this.#countedStale}`)
  }

  #hold(batch: string, index: number, where: string): void {
    const message = `${batch}[${index}]`
    const elsewhere = this.#places.get(message)
    if (elsewhere) this.#say(`${this.#holder.ref}: ${message} is in ${elsewhere} and in ${where}`)
    this.#places.set(message, where)
    this.#owe(batch, 1)
  }
}

export function checkRange(topic: TopicSnapshot, range: Range, where: string, say: (what: string) => void): void {
  const value = topic.batches.get(range.batch)
  if (!value) {
    say(`${where} holds ${nameOf(range)}, which is not stored`)
    return
  }
  const count = value.readUInt16LE(2)
  if (range.total !== count) say(`${where} says that ${range.batch} has ${range.total}, it has ${count}`)
  if (range.count < 1 || range.from + range.count > count)
    say(`${where} holds ${range.from}+${range.count} of ${range.batch}, which has ${count}`)
}
