/** Listening to one topic, without a Redis: what goes wrong, and in which order it begins and ends. */
import type { TopicEvent } from '@busway/bus'
import type { WatchReply, WatchRequest } from '@busway/lua'
import { expect } from 'chai'
import { BuswayError } from '../../packages/bus/src/errors/index.js'
import type { ScriptRunner } from '../../packages/bus/src/seams.js'
import { EventStream } from '../../packages/bus/src/watch/event-stream.js'
import { TopicWatch } from '../../packages/bus/src/watch/topic-watch.js'
import { LogLines } from '../support/log-lines.js'
import { Gate, Received } from '../support/received.js'

type Answer = Partial<WatchReply> | Error

/** A Redis that answers `watch` as it is told, then as if nothing were wrong. */
function place(...answers: Answer[]) {
  const did: string[] = []
  const asked = new Received<number>()
  const back = new Set<() => void>()
  let hear: (text: string) => void = () => {}
  const reply = async (_script: unknown, _topic: string, { forMs }: WatchRequest): Promise<WatchReply> => {
    did.push(forMs === 0 ? 'unwatch' : 'watch')
    asked.add(forMs)
    const answer = answers.shift() ?? {}
    if (answer instanceof Error) throw answer
    return { nowMs: 1, wasWatched: true, ...answer }
  }
  const runner = { run: reply, runRepeatable: reply } as unknown as Pick<ScriptRunner, 'run' | 'runRepeatable'>
  const subscribed = new Gate()
  const wakes = {
    async subscribeEvents(_topic: string, listener: (text: string) => void) {
      did.push('subscribe')
      await subscribed.opened
      hear = listener
      return async () => void did.push('unsubscribe')
    },
    onBack(listener: () => void) {
      back.add(listener)
      return () => back.delete(listener)
    },
  }
  const log = new LogLines()
  const told = new Received<string>()
  const listener = {
    event: (event: { type: string }) => told.add(event.type),
    missed: () => told.add('missed'),
  }
  const watch = (watchMs?: number) => {
    const made = new TopicWatch('orders', { runner, wakes, log: log.logger, placesOf: (topic) => [topic] }, watchMs)
    made.join(listener)
    return made
  }
  return {
    did,
    asked,
    told,
    log,
    subscribed,
    watch,
    hear: (text: string) => hear(text),
    goBack: () => back.forEach((each) => void each()),
  }
}

const redriven = (id: string) => `{"time":1,"told":[{"type":"redriven","group":"g","range":"0,1,1,=${id}"}]}`

describe('listening to a topic', () => {
  it('subscribes before it says so, and unsubscribes before it takes that back', async () => {
    const { watch, did, subscribed } = place({ wasWatched: false })
    const watching = watch()
    subscribed.open()
    await watching.ready
    expect(watching.isListening).to.equal(true)
    await watching.stop()
    expect(did).to.deep.equal(['subscribe', 'watch', 'unsubscribe', 'unwatch'])
  })

  it('that nobody wants any more before it began leaves nothing behind', async () => {
    const { watch, did, subscribed } = place()
    const watching = watch()
    await watching.stop()
    subscribed.open()
    expect(await watching.ready.catch((error) => error.code)).to.equal('BUS_CLOSED')
    await new Promise((resolve) => setImmediate(resolve))
    expect(did).to.deep.equal(['subscribe', 'unsubscribe'])
  })

  it('tells that something may be missing where Redis had forgotten it, and when it cannot read what it heard', async () => {
    const { watch, told, hear, subscribed } = place({ wasWatched: false }, {}, { wasWatched: false })
    subscribed.open()
    const watching = watch(30)
    await watching.ready
    await told.count(1)
    expect(told.items).to.deep.equal(['missed'])
    hear(redriven('a'))
    hear('what is this')
    hear(redriven('b'))
    expect(told.items).to.deep.equal(['missed', 'redriven', 'missed', 'redriven'])
    await watching.stop()
  })

  it('says so again when its connection is back, having told that something may be missing', async () => {
    const { watch, told, asked, goBack, subscribed } = place()
    subscribed.open()
    const watching = watch()
    await watching.ready
    goBack()
    expect(told.items).to.deep.equal(['missed'])
    await asked.count(2)
    await watching.stop()
    goBack()
    expect(told.items).to.deep.equal(['missed'])
  })

  it('goes on trying where Redis refuses, and says so once', async () => {
    const refused = () => new BuswayError('REDIS_REFUSED', 'a password is asked for')
    const { watch, asked, log, subscribed } = place(refused(), refused(), new BuswayError('REDIS_UNAVAILABLE', 'gone'))
    subscribed.open()
    const watching = watch()
    expect(await watching.ready.catch((error) => error.code)).to.equal('REDIS_REFUSED')
    await asked.count(4)
    const lines = log.items.filter(({ msg }) => msg.includes('cannot be watched yet'))
    expect(lines).to.have.length(1)
    await watching.stop()
  })

  it('tells those that wait for one message of that alone', async () => {
    const { watch, hear, subscribed } = place()
    subscribed.open()
    const watching = watch()
    await watching.ready
    const heard: string[] = []
    const join = (id: string) =>
      watching.join(
        { event: (event) => heard.push(`${id}: ${event.type}`), missed: () => heard.push(`${id}: missed`) },
        id,
      )
    const [leave] = [join('a'), join('b')]
    hear(redriven('a'))
    leave()
    hear(redriven('a'))
    hear(redriven('b'))
    hear('what is this')
    expect(heard).to.deep.equal(['a: redriven', 'b: redriven', 'b: missed'])
    await watching.stop()
  })
})

describe('a stream of events', () => {
  const event = (id: string): TopicEvent => ({
    ...{ type: 'redriven', topic: 'orders', group: 'g', id, time: new Date(0) },
  })
  const stream = (leave: () => Promise<void> = async () => {}) =>
    new EventStream('orders', 10, () => ({ ready: Promise.resolve(), leave }))

  it('serves those that ask, in their order, before or after it comes', async () => {
    const events = stream()
    events.event(event('1'))
    const asked = [events.next(), events.next(), events.next()]
    events.event(event('2'))
    events.event(event('3'))
    events.event(event('4'))
    const ids = (await Promise.all([...asked, events.next()])).map(
      ({ value }) => value?.type === 'redriven' && value.id,
    )
    expect(ids).to.deep.equal(['1', '2', '3', '4'])
  })

  it('that is closed answers those that ask, and leaves once', async () => {
    let left = 0
    const events = stream(async () => void left++)
    events.event(event('1'))
    const [first, second] = [events.next(), events.next()]
    events.event(event('2'))
    await Promise.all([events.close(), events.return(), events[Symbol.asyncDispose]()])
    events.event(event('3'))
    events.missed()
    expect((await first).done).to.equal(false)
    expect((await second).done).to.equal(false)
    expect(await events.next()).to.deep.equal({ done: true, value: undefined })
    expect(left).to.equal(1)
  })

  it('that comes to its end is read to it', async () => {
    const events = stream()
    const seen: unknown[] = []
    events.event(event('1'))
    events.event(event('2'))
    events.end()
    for await (const each of events) seen.push(each.type)
    expect(seen).to.deep.equal(['redriven', 'redriven'])
  })
})
