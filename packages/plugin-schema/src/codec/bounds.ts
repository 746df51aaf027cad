/**
 * Walks over an encoded body before anything is made of it. Lengths and counts are anyone's claims: what does not fit into the bytes that are there is
 * refused, so that no message makes its reader allocate more than a small multiple of its size, or run deep.
 */
import type { Node } from '../schema/node.js'
import { LONG_BOUND, MAX_DEPTH, MAX_EMPTY_ITEMS } from './limits.js'
import { leastBytes } from './sizes.js'

/** What is wrong with the bytes. */
export class BodyError extends Error {}

/** Throws BodyError unless the bytes, from position `from`, are one value of the writer's schema, whole and within the limits. */
export function checkBounds(node: Node, bytes: Buffer, from = 0): void {
  const walk = new Walk(bytes, from)
  walk.value(node, 0)
  if (walk.at !== bytes.length) throw new BodyError(`${bytes.length - walk.at} bytes follow its end`)
}

class Walk {
  at: number
  readonly #bytes: Buffer
  #emptyItems = 0

  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes
    this.at = from
  }

  value(node: Node, depth: number): void {
    switch (node.kind) {
      case 'null':
        return
      case 'boolean':
        this.#skip(1)
        if ((this.#bytes[this.at - 1] as number) > 1) throw new BodyError('a boolean is neither 0 nor 1')
        return
      case 'int':
        if (Math.abs(this.#long() + 0.5) > 2 ** 31) throw new BodyError('an int has more than 32 bits')
        return
      case 'long':
        if (Math.abs(this.#long()) >= LONG_BOUND) throw new BodyError('a long is beyond 2^52')
        return
      case 'float':
        this.#skip(4)
        return
      case 'double':
        this.#skip(8)
        return
      case 'fixed':
        this.#skip(node.size)
        return
      case 'bytes':
      case 'string':
        this.#skip(this.#length())
        return
      case 'enum':
        this.#index(node.symbols.length, node.name)
        return
      case 'union':
        this.value(node.branches[this.#index(node.branches.length, 'union')] as Node, depth)
        return
      case 'record':
        this.#checkDepth(depth)
        for (const field of node.fields) this.value(field.type, depth + 1)
        return
      case 'array':
        this.#blocks(leastBytes(node.items), depth, () => this.value(node.items, depth + 1))
        return
      case 'map':
        this.#blocks(1 + leastBytes(node.values), depth, () => {
          this.#key()
          this.value(node.values, depth + 1)
        })
    }
  }

  #blocks(least: number, depth: number, item: () => void): void {
    this.#checkDepth(depth)
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      const ends = count < 0 ? this.#length() + this.at : undefined
      const items = Math.abs(count)
      if (least === 0) this.#countEmpty(items)
      else if (items > (this.#bytes.length - this.at) / least)
        throw new BodyError(`${items} items are said to be in ${this.#bytes.length - this.at} bytes`)
      for (let i = 0; i < items; i++) item()
      // Whoever skips the block goes by its size.
      if (ends !== undefined && ends !== this.at) throw new BodyError('a block has another size than it says')
    }
  }

  #countEmpty(items: number): void {
    this.#emptyItems += items
    if (this.#emptyItems > MAX_EMPTY_ITEMS)
      throw new BodyError(`it has more than ${MAX_EMPTY_ITEMS} items that take no bytes`)
  }

  #checkDepth(depth: number): void {
    if (depth >= MAX_DEPTH) throw new BodyError(`it is nested deeper than ${MAX_DEPTH}`)
  }

  #key(): void {
    const length = this.#length()
    const from = this.at
    this.#skip(length)
    // As a property it would be the object's prototype.
    if (length === 9 && this.#bytes.toString('latin1', from, this.at) === '__proto__')
      throw new BodyError('a map has the key __proto__')
  }

  #skip(bytes: number): void {
    if (bytes > this.#bytes.length - this.at)
      throw new BodyError(`it ends ${bytes - this.#bytes.length + this.at} bytes too early`)
    this.at += bytes
  }

  #length(): number {
    const length = this.#long()
    if (length < 0) throw new BodyError('a length is negative')
    return length
  }

  #index(count: number, of: string): number {
    const index = this.#long()
    if (index < 0 || index >= count) throw new BodyError(`${of} has no member ${index}`)
    return index
  }

  /** Exact as far as it may be a length or a count; larger ones are only known to be large. */
  #long(): number {
    let low = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.at]
      if (byte === undefined) throw new BodyError('it ends within a number')
      this.at++
      low += (byte & 0x7f) * factor
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2
      factor *= 128
    }
    throw new BodyError('a number has more than ten bytes')
  }
}
