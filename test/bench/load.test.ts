import { expect } from 'chai'
import { type Body, numberOf } from '../../bench/src/body.js'
import { publishBatches, publishInFlight, publishInTurn } from '../../bench/src/load.js'
import type { Producer } from '../../bench/src/peer.js'

/** Confirms a publish in a later turn of the event loop, and keeps account. */
class RecordingProducer implements Producer {
  readonly published: number[] = []
  readonly batches: number[] = []
  mostInFlight = 0
  #inFlight = 0

  async publish(body: Body): Promise<void> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.#inFlight)
    this.published.push(numberOf(body))
    await new Promise((resolve) => setImmediate(resolve))
    this.#inFlight--
  }

  async publishBatch(bodies: Body[]): Promise<void> {
    this.batches.push(bodies.length)
    this.published.push(...bodies.map(numberOf))
  }

  async close(): Promise<void> {}
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

describe("the bench's load", () => {
  it('keeps as many publishes in flight as asked, and publishes each message once', async () => {
    const producer = new RecordingProducer()
    await publishInFlight(producer, 100, 7)
    expect(producer.mostInFlight).to.equal(7)
    expect(producer.published).to.deep.equal(upTo(100))
  })

  it('publishes one after the other, and times each', async () => {
    const producer = new RecordingProducer()
    const latenciesUs = await publishInTurn(producer, 10)
    expect(producer.mostInFlight).to.equal(1)
    expect(latenciesUs).to.have.length(10)
    expect(latenciesUs.every((us) => us > 0)).to.equal(true)
  })

  it('publishes in batches, the last one smaller', async () => {
    const producer = new RecordingProducer()
    await publishBatches(producer, 25, 10)
    expect(producer.batches).to.deep.equal([10, 10, 5])
    expect(producer.published).to.deep.equal(upTo(25))
  })
})
