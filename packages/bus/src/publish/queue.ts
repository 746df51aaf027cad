/** First in, first out, without moving what waits. */
import type { Unit } from './unit.js'

export class UnitQueue {
  #units: Unit[] = []
  #head = 0
  messages = 0
  bytes = 0

  get isEmpty(): boolean {
    return this.#head === this.#units.length
  }

  /** Messages that still wait; the rest was taken back by its callers. */
  get unsettled(): number {
    let count = 0
    for (let i = this.#head; i < this.#units.length; i++) {
      const unit = this.#units[i] as Unit
      if (!unit.isSettled) count += unit.messages.length
    }
    return count
  }

  push(unit: Unit): void {
    this.#units.push(unit)
    this.messages += unit.messages.length
    this.bytes += unit.bytes
  }

  /** Puts units back that were at the head, in their order. */
  putBack(units: readonly Unit[]): void {
    this.#units = [...units, ...this.#units.slice(this.#head)]
    this.#head = 0
    for (const unit of units) {
      unit.isTaken = false
      this.messages += unit.messages.length
      this.bytes += unit.bytes
    }
  }

  peek(): Unit | undefined {
    return this.#units[this.#head]
  }

  shift(): Unit | undefined {
    const unit = this.#units[this.#head]
    if (unit === undefined) return undefined
    this.#head++
    this.messages -= unit.messages.length
    this.bytes -= unit.bytes
    if (this.#head === this.#units.length || (this.#head >= 1_024 && this.#head * 2 >= this.#units.length)) {
      this.#units = this.#units.slice(this.#head)
      this.#head = 0
    }
    return unit
  }
}
