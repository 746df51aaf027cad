/** Readers of what other schemas wrote: each schema is fetched once, resolved once, and kept while it is in use. */
import { BuswayError } from '@busway/bus'
import { Codec, type Reader } from '../codec/codec.js'
import { SchemaError } from '../schema/parse.js'

export class Readers {
  readonly #fetch: (fingerprint: string) => Promise<string | undefined>
  readonly #size: number
  /** The one used longest ago is first. */
  readonly #kept = new Map<string, Promise<Reader>>()

  /** `fetch`: a schema's text. `size`: how many readers are kept. */
  constructor(fetch: (fingerprint: string) => Promise<string | undefined>, size: number) {
    this.#fetch = fetch
    this.#size = size
  }

  /** For messages of one topic, as its own schema has them, or as they were written. Rejects with UNDECODABLE, or with why Redis did not answer. */
  reader(topic: string, own: Codec | undefined, fingerprint: string): Promise<Reader> {
    const name = `${fingerprint} ${topic}`
    const known = this.#kept.get(name)
    if (known !== undefined) {
      this.#kept.delete(name)
      this.#kept.set(name, known)
      return known
    }
    const made = this.#make(topic, own, fingerprint)
    this.#kept.set(name, made)
    if (this.#kept.size > this.#size) this.#kept.delete(this.#kept.keys().next().value as string)
    // What failed may be there another time.
    made.catch(() => this.#kept.get(name) === made && this.#kept.delete(name))
    return made
  }

  async #make(topic: string, own: Codec | undefined, fingerprint: string): Promise<Reader> {
    if (own?.fingerprint.toString('hex') === fingerprint) return own.reader
    const text = await this.#fetch(fingerprint)
    if (text === undefined)
      throw new BuswayError(
        'UNDECODABLE',
        `No schema of the fingerprint ${fingerprint} is registered in this namespace: register it, then redrive`,
        { details: { topic, fingerprint } },
      )
    try {
      const writer = new Codec(JSON.parse(text))
      return (own ?? writer).readerOf(writer)
    } catch (error) {
      if (!(error instanceof SchemaError) && !(error instanceof SyntaxError)) throw error
      throw new BuswayError(
        'UNDECODABLE',
        `What the schema ${fingerprint} wrote cannot be read by this consumer's of ${topic}: ${error.message}`,
        { cause: error, details: { topic, fingerprint } },
      )
    }
  }
}
