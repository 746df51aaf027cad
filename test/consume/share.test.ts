import { expect } from 'chai'
import fc from 'fast-check'
import { Share } from '../../packages/bus/src/consume/share.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A topic with messages in a Redis that answers when it is told to; as a subscription, it asks again only when something happened or it is called. */
class Topic {
  readonly place
  waiting: number
  backlog = 0
  running = 0
  asked = 0
  done = 0
  paused = false
  /** Its first message is one that runs alone. */
  suspect = false
  /** Ended, and not settled yet. */
  unsettled = 0
  readonly #order: Topic[]

  constructor(share: Share, waiting: number, order: Topic[]) {
    this.waiting = waiting
    this.#order = order
    this.place = share.place({
      held: () => this.backlog + this.running + this.asked,
      start: () => this.start(),
      pump: () => this.pump(),
      giveBack: () => this.giveBack(),
      leased: () => this.leased,
    })
  }

  get leased(): number {
    return this.backlog + this.running + this.unsettled
  }

  pump(): void {
    if (this.paused || this.asked > 0 || this.waiting === 0) return
    this.asked = this.place.room(10)
  }

  answer(): void {
    const got = Math.min(this.asked, this.waiting)
    this.asked = 0
    this.waiting -= got
    this.backlog += got
    this.place.update()
    this.start()
    this.pump()
  }

  start(): void {
    while (!this.paused && this.backlog > 0 && this.running < 10 && this.place.mayStart(this.suspect)) {
      this.backlog--
      this.running++
      this.#order.push(this)
      this.place.started()
    }
  }

  end(): void {
    this.running--
    this.done++
    this.place.ended()
    this.place.update()
    this.start()
    this.pump()
  }

  pause(): void {
    this.paused = true
    this.giveBack()
  }

  giveBack(): void {
    if (this.backlog === 0) return
    this.waiting += this.backlog
    this.backlog = 0
    this.place.update()
    this.pump()
  }

  settle(): void {
    this.unsettled = 0
    this.place.update()
    this.pump()
  }

  resume(): void {
    this.paused = false
    this.start()
    this.pump()
  }
}

/** So many messages may be held beside those that run. */
function shareAhead(concurrency: number, ahead: number): Share {
  const share = new Share({ concurrency, lookaheadMs: ahead * 10 })
  share.pace.observe(10 * concurrency, true)
  return share
}

describe('what the subscriptions of a pattern share', () => {
  it('is never exceeded, and all that waits is called, whatever happens in which order', async () => {
    const events = fc.array(fc.tuple(fc.constantFrom('answer', 'end', 'pause', 'resume', 'turn'), fc.nat()), {
      maxLength: 200,
    })
    const ahead = fc.constantFrom(0, 6)
    const sizes = fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer({ min: 1, max: 4 }),
        ahead,
        events,
        async (sizes, concurrency, ahead, events) => {
          const share = shareAhead(concurrency, ahead)
          const topics = sizes.map((size) => new Topic(share, size, []))
          const sound = () => {
            const sum = (of: (topic: Topic) => number) => topics.reduce((all, topic) => all + of(topic), 0)
            expect(sum(({ running }) => running)).to.be.at.most(concurrency)
            expect(sum(({ running, backlog, asked }) => running + backlog + asked)).to.be.at.most(concurrency + ahead)
          }
          for (const topic of topics) topic.pump()
          sound()
          for (const [event, which] of events) {
            const topic = topics[which % topics.length] as Topic
            if (event === 'answer' && topic.asked > 0) topic.answer()
            else if (event === 'end' && topic.running > 0) topic.end()
            else if (event === 'pause' && !topic.paused) topic.pause()
            else if (event === 'resume' && topic.paused) topic.resume()
            else if (event === 'turn') await turn()
            sound()
          }
          for (const topic of topics) if (topic.paused) topic.resume()
          // Whatever is under way ends; nobody asks who was not called.
          for (let round = 0; round < 500 && topics.some(({ waiting, backlog }) => waiting + backlog > 0); round++) {
            for (const topic of topics) {
              if (topic.asked > 0) topic.answer()
              if (topic.running > 0) topic.end()
            }
            sound()
            await turn()
          }
          for (const topic of topics) while (topic.running > 0) topic.end()
          expect(topics.map(({ done }) => done)).to.deep.equal(sizes)
        },
      ),
      { numRuns: 150 },
    )
  }).timeout(30_000)

  it('is given in turn: a topic with one message waits for no topic with many', async () => {
    const share = shareAhead(1, 8)
    const order: Topic[] = []
    const [busy, quiet] = [new Topic(share, 100, order), new Topic(share, 1, order)]
    busy.pump()
    busy.answer()
    quiet.pump()
    while (quiet.done === 0) {
      for (const topic of [busy, quiet]) {
        if (topic.asked > 0) topic.answer()
        if (topic.running > 0) topic.end()
      }
      await turn()
    }
    // What was held ahead of it may run before: one that ran, and eight.
    expect(order.indexOf(quiet)).to.be.at.most(9)
  })

  it('is called upon by those that had to wait for a start, in turn', async () => {
    const share = shareAhead(1, 40)
    const order: Topic[] = []
    const topics = [1, 2, 3].map(() => new Topic(share, 3, order))
    for (const topic of topics) {
      topic.pump()
      topic.answer()
    }
    while (order.length < 9) {
      for (const topic of topics) if (topic.running > 0) topic.end()
      await turn()
    }
    // The first asked for a second start when the others had not come yet.
    expect(order.map((topic) => topics.indexOf(topic))).to.deep.equal([0, 0, 1, 2, 0, 1, 2, 1, 2])
  })

  it('passes over a topic that is paused', async () => {
    const share = shareAhead(1, 40)
    const topics = [1, 1, 1].map((size) => new Topic(share, size, []))
    for (const topic of topics) {
      topic.pump()
      topic.answer()
    }
    topics[1]?.pause()
    topics[0]?.end()
    await turn()
    expect(topics.map(({ running }) => running)).to.deep.equal([0, 0, 1])
  })

  describe('if a message is to run alone,', () => {
    const three = async () => {
      const share = shareAhead(1, 40)
      const topics = [new Topic(share, 3, []), new Topic(share, 1, []), new Topic(share, 2, [])] as const
      for (const topic of topics) topic.pump()
      topics[1].suspect = true
      for (const topic of topics) topic.answer()
      await turn()
      return topics
    }

    it('is given back by the others, and waited for until what runs is settled', async () => {
      const [busy, alone, quiet] = await three()
      expect([busy, alone, quiet].map(({ running, backlog }) => [running, backlog])).to.deep.equal([
        [1, 0],
        [0, 1],
        [0, 0],
      ])
      busy.unsettled = 1
      busy.end()
      await turn()
      expect(alone.running).to.equal(0)
      busy.settle()
      await turn()
      expect([busy, alone, quiet].map(({ running, asked }) => running + asked)).to.deep.equal([0, 1, 0])
    })

    it('goes on with all others when that is settled', async () => {
      const [busy, alone, quiet] = await three()
      busy.end()
      await turn()
      alone.unsettled = 1
      alone.end()
      await turn()
      expect([busy, quiet].map(({ asked }) => asked)).to.deep.equal([0, 0])
      alone.settle()
      await turn()
      expect([busy, quiet].every(({ asked }) => asked > 0)).to.equal(true)
    })

    for (const [what, end] of [
      ['given back', (topic: Topic) => topic.pause()],
      ['closed', (topic: Topic) => topic.place.leave()],
    ] as const) {
      it(`goes on when it is ${what} before it ran`, async () => {
        const [busy, alone, quiet] = await three()
        end(alone)
        await turn()
        expect(quiet.asked).to.be.above(0)
        busy.end()
        quiet.answer()
        await turn()
        expect(quiet.running).to.equal(1)
      })
    }

    it('waits for what another may be given that asked out of its turn, and for that to be given back', async () => {
      const share = shareAhead(2, 40)
      const [renewing, alone] = [new Topic(share, 1, []), new Topic(share, 1, [])] as const
      renewing.asked = renewing.place.roomAside(10)
      alone.suspect = true
      alone.pump()
      alone.answer()
      await turn()
      expect(alone.running).to.equal(0)
      renewing.answer()
      await turn()
      expect([renewing.backlog, renewing.running, alone.running]).to.deep.equal([0, 0, 1])
    })

    it('has two of them run one after the other', async () => {
      const share = shareAhead(2, 40)
      const topics = [new Topic(share, 1, []), new Topic(share, 1, [])] as const
      for (const topic of topics) {
        topic.suspect = true
        topic.pump()
      }
      for (const topic of topics) topic.answer()
      for (let round = 0; round < 20 && topics.some(({ done }) => done === 0); round++) {
        await turn()
        expect(topics[0].leased + topics[1].leased).to.be.at.most(round === 0 ? 2 : 1)
        for (const topic of topics) {
          if (topic.asked > 0) topic.answer()
          else if (topic.running > 0) topic.end()
        }
      }
      expect(topics.map(({ done }) => done)).to.deep.equal([1, 1])
    })
  })

  it('is free again when one leaves with what it had asked for', async () => {
    const share = new Share({ concurrency: 2, lookaheadMs: 0 })
    const [gone, other] = [new Topic(share, 5, []), new Topic(share, 1, [])]
    gone.pump()
    other.pump()
    expect([gone.asked, other.asked]).to.deep.equal([2, 0])
    gone.place.leave()
    await turn()
    expect(other.asked).to.equal(2)
  })
})
