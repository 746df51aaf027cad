/**
 * From a caller's body to its receipt: check, validate, run the plugins' chain, encode, hand over to the topic's producer. A message without options
 * on a bus without plugins takes the short way.
 */
import type { StagedPublish } from '@busway/lua'
import type { Durability, Outgoing, PublishBatch, Receipt, ReportRequester } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import { chosenBy } from '../partitions/choice.js'
import type { Pipeline, Publisher } from '../seams.js'
import { type TopicRegistry, validateBody } from '../topics/index.js'
import { TopicMaker } from '../topics/maker.js'
import { checkOptionsObject } from '../validate/options.js'
import { wallMs } from '../wall-clock.js'
import { JSON_TYPE, type WireMessage } from '../wire/index.js'
import { checkDurability, kindOf, type Wanted } from './durability.js'
import { EncodedBody } from './encoded-body.js'
import { BYTES_TYPE, prepare, preparePlain } from './message.js'
import { checkPublishOptions } from './options.js'
import { type OutletSettings, Outlets } from './outlets.js'
import type { Producer } from './producer.js'
import { batchOfOne } from './request.js'

export interface PublisherSettings extends OutletSettings {
  readonly maxPayload: number
  readonly registry: TopicRegistry
  /** Of publishes that say nothing of it. */
  readonly durability: Wanted | undefined
}

const BATCH_ENTRIES = 1_000
const BATCH_TOTAL_BYTES = 1024 * 1024

const first = (receipts: Receipt[]): Receipt => receipts[0] as Receipt

const NO_OPTIONS: object = Object.freeze({})

export class BusPublisher implements Publisher {
  readonly #settings: PublisherSettings
  readonly #outlets: Outlets
  readonly #topics: TopicMaker

  constructor(settings: PublisherSettings) {
    this.#settings = settings
    this.#topics = new TopicMaker(settings)
    this.#outlets = new Outlets(settings, {
      register: (topic) => this.#topics.register(topic),
      onRollback: (topic) => this.#topics.forget(topic),
    })
  }

  /** Throws or rejects as `bus.publish` does. `requester`: is told how the message ends. */
  publishOne(topic: string, body: unknown, options: object | undefined, requester?: ReportRequester): Promise<Receipt> {
    const { durability } = this.#settings
    const { schema, producer } = this.#outlets.of(topic, durability)
    const pipeline = this.#settings.pipeline()
    if (
      options === undefined &&
      schema === undefined &&
      requester === undefined &&
      isBare(pipeline) &&
      !(body instanceof EncodedBody)
    ) {
      return producer.enqueueOne(preparePlain(topic, body, this.#settings.maxPayload))
    }
    return this.#publishFully(topic, body, options, requester)
  }

  /** Without a waiting turn unless the schema or a plugin takes one: calls keep their order, with options or without. */
  #publishFully(
    topic: string,
    body: unknown,
    options: object | undefined,
    requester: ReportRequester | undefined,
  ): Promise<Receipt> {
    const pipeline = this.#settings.pipeline()
    const { schema } = this.#outlets.of(topic)
    checkOptionsObject('publish', options)
    const own = options === undefined ? NO_OPTIONS : { ...options }
    if (options !== undefined) checkPublishOptions(requester === undefined ? 'publish' : 'request', own, pipeline)
    const wanted = this.#wanted(own)
    const isEncoded = body instanceof EncodedBody
    const run = (value: unknown): Promise<Receipt> =>
      this.#run(
        { topic, messages: [outgoing(value, own, requester)], via: 'publish' },
        (own as { signal?: AbortSignal }).signal,
        wanted,
        isEncoded,
      ).then(first)
    if (schema === undefined || isEncoded) return run(body)
    const checked = validateBody(topic, schema, body)
    return checked instanceof Promise ? checked.then(run) : run(checked)
  }

  /** Throws or rejects as `bus.publishBatch` does. */
  publishBatch(
    topic: string,
    entries: readonly unknown[],
    options: { signal?: AbortSignal } | undefined,
  ): Promise<Receipt[]> {
    this.#outlets.of(topic)
    if (!Array.isArray(entries))
      throw new BuswayError('INVALID_OPTIONS', 'publishBatch: the entries are an array of { body, ... }.')
    if (entries.length > BATCH_ENTRIES) {
      throw new BuswayError(
        'BATCH_TOO_LARGE',
        `publishBatch takes ${BATCH_ENTRIES} entries at most, since they are all or none in one script call; these are ${entries.length}. Split them.`,
      )
    }
    for (const [i, entry] of entries.entries()) {
      if (typeof entry !== 'object' || entry === null || !('body' in entry))
        throw new BuswayError('INVALID_OPTIONS', `publishBatch: entry ${i} is no { body, ... }.`)
      if ('signal' in entry)
        throw new BuswayError(
          'INVALID_OPTIONS',
          `publishBatch: entry ${i} has a signal; the batch is all or none, so it has one, in the third argument.`,
        )
    }
    if (entries.length === 0) return Promise.resolve([])
    const given = entries as readonly { body: unknown }[]
    return (
      this.#publishPlainly(topic, given, options?.signal) ??
      this.#publishMany(
        topic,
        given.map(({ body }) => body),
        given.map(({ body: _, ...rest }) => rest),
        options?.signal,
      )
    )
  }

  /** The short way of `publishBatch`; `undefined` where something takes the long one. */
  #publishPlainly(
    topic: string,
    entries: readonly { body: unknown }[],
    signal: AbortSignal | undefined,
  ): Promise<Receipt[]> | undefined {
    const { durability, maxPayload } = this.#settings
    const { schema, producer, partitions } = this.#outlets.of(topic, durability)
    if (schema !== undefined || partitions !== undefined || !isBare(this.#settings.pipeline())) return undefined
    for (const entry of entries) if (!isPlain(entry)) return undefined
    const prepared = entries.map(({ body }) => preparePlain(topic, body, maxPayload))
    checkTotal(prepared)
    return producer.enqueue(prepared, signal)
  }

  /** As `#publishFully`, all or none. */
  #publishMany(
    topic: string,
    given: readonly unknown[],
    optionsOf: readonly object[],
    signal: AbortSignal | undefined,
  ): Promise<Receipt[]> {
    const pipeline = this.#settings.pipeline()
    const { schema } = this.#outlets.of(topic)
    const isEncoded = given[0] instanceof EncodedBody
    const bodies: unknown[] = []
    let wanted: Wanted | undefined
    let isWaiting = false
    for (let i = 0; i < given.length; i++) {
      const body = given[i]
      const options = optionsOf[i] as object
      checkPublishOptions('publishBatch', options, pipeline)
      if (body instanceof EncodedBody !== isEncoded) throw half(i)
      const own = this.#wanted(options)
      if (i === 0) wanted = own
      else if (kindOf(own) !== kindOf(wanted)) throw differing(i)
      const checked = schema === undefined || isEncoded ? body : validateBody(topic, schema, body)
      isWaiting ||= schema !== undefined && checked instanceof Promise
      bodies.push(checked)
    }
    const run = (values: readonly unknown[]): Promise<Receipt[]> => {
      const messages = values.map((body, i) => outgoing(body, optionsOf[i] as object))
      return this.#run({ topic, messages, via: 'publish' }, signal, wanted, isEncoded)
    }
    return isWaiting ? Promise.all(bodies).then(run) : run(bodies)
  }

  publish(batch: PublishBatch): Promise<Receipt[]> {
    return this.#run(batch, undefined, this.#settings.durability)
  }

  #wanted({ durability }: { durability?: Durability }): Wanted | undefined {
    const { durability: wanted, timeoutMs } = this.#settings
    return durability === undefined ? wanted : checkDurability(durability, timeoutMs)
  }

  /** Rejects, and never throws. */
  #run(
    batch: PublishBatch,
    signal: AbortSignal | undefined,
    wanted: Wanted | undefined,
    isEncoded = false,
  ): Promise<Receipt[]> {
    const pipeline = this.#settings.pipeline()
    const send = (): Promise<Receipt[]> => this.#send(batch, signal, wanted, pipeline)
    const chain = isEncoded ? pipeline.enrich : pipeline.publish
    return told(pipeline, batch, chain === undefined ? send : () => chain(batch, send))
  }

  /** Rejects, and never throws. */
  #send(
    batch: PublishBatch,
    signal: AbortSignal | undefined,
    wanted: Wanted | undefined,
    pipeline: Pipeline,
  ): Promise<Receipt[]> {
    try {
      return this.#handOver(batch, signal, wanted, pipeline)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #handOver(
    { topic, messages }: PublishBatch,
    signal: AbortSignal | undefined,
    wanted: Wanted | undefined,
    pipeline: Pipeline,
  ): Promise<Receipt[]> {
    const { maxPayload } = this.#settings
    const { producer, partitions } = this.#outlets.of(topic, wanted)
    const prepared = messages.map((message) => {
      this.#addressReports(message)
      const ready = prepare(topic, message, pipeline.guards.publish, maxPayload)
      message.bodyBytes = ready.bodyBytes
      return ready
    })
    checkTotal(prepared)
    if (partitions === undefined) return producer.enqueue(prepared, signal)
    return partitions.enqueue(
      prepared,
      signal,
      messages.map((message) => chosenBy(topic, message)),
    )
  }

  /** Whoever ends the message knows of no partitions. */
  #addressReports(message: Outgoing): void {
    const { reportTo } = message
    if (reportTo === undefined || 'requester' in reportTo || this.#settings.catalog.partitions(reportTo.topic) === 1)
      return
    const { partitions } = this.#outlets.of(reportTo.topic)
    if (partitions !== undefined) message.reportTo = { ...reportTo, topic: partitions.place(reportTo.key).partition }
  }

  async stage(topic: string, body: unknown, options: Record<string, unknown>): Promise<StagedPublish> {
    const { schema, producer, partitions } = this.#outlets.of(topic)
    const pipeline = this.#settings.pipeline()
    checkOptionsObject('ctx.publish', options)
    checkPublishOptions('ctx.publish', options, pipeline)
    if ((options as { durability?: unknown }).durability !== undefined) throw ofSettles()
    const isEncoded = body instanceof EncodedBody
    const message = outgoing(
      schema === undefined || isEncoded ? body : await validateBody(topic, schema, body),
      options,
    )
    // A settle cannot be undone: that its destination has another number of partitions is told before.
    if (!this.#topics.isCounted(topic)) await this.#topics.count(topic).catch(unlessInvalid)
    let staged: StagedPublish | undefined
    const send = async (): Promise<Receipt[]> => {
      this.#addressReports(message)
      const prepared = prepare(topic, message, pipeline.guards.publish, this.#settings.maxPayload)
      message.bodyBytes = prepared.bodyBytes
      const place = partitions?.place(chosenBy(topic, message)) ?? { partition: topic, producer: producer as Producer }
      const guardCalls = (prepared.guardArgs ?? []).flatMap((args, guard) =>
        args === undefined ? [] : [{ message: 0, guard, args }],
      )
      const batch = batchOfOne(prepared, place.producer.packing, performance.now())
      const guardKeys = guardCalls.length === 0 ? [] : pipeline.guards.publish.map((guard) => guard.keys(topic, ''))
      const to = { topic: place.partition, batch }
      staged = guardCalls.length === 0 ? to : { ...to, guardCalls, guardKeys }
      return [{ id: prepared.special?.id ?? '', topic, status: 'accepted' }]
    }
    const batch: PublishBatch = { topic, messages: [message], via: 'settle' }
    const chain = isEncoded ? pipeline.enrich : pipeline.publish
    const run = () => (chain === undefined ? send() : chain(batch, send))
    await told(pipeline, batch, run)
    if (staged !== undefined) return staged
    throw new BuswayError(
      'PLUGIN_MISUSE',
      `A publish middleware answered for the staged publish to ${topic} without next(): within a settle, guards decide instead.`,
    )
  }

  async encodeBody(topic: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<WireMessage> {
    const { schema } = this.#outlets.of(topic)
    const message = outgoing(schema === undefined ? body : await validateBody(topic, schema, body), { headers })
    const written = async (): Promise<Receipt[]> => [{ id: '', topic, status: 'accepted' }]
    await this.#settings.pipeline().encode?.({ topic, messages: [message], via: 'publish' }, written)
    return prepare(topic, message, [], this.#settings.maxPayload)
  }

  async encode(topic: string, body: unknown, options: object): Promise<EncodedBody> {
    checkOptionsObject('publish', options)
    checkPublishOptions('publish', options, this.#settings.pipeline())
    const headers = (options as { headers?: Record<string, string> }).headers ?? {}
    const { body: written, contentType = JSON_TYPE } = await this.encodeBody(topic, body, headers)
    return new EncodedBody(typeof written === 'string' ? Buffer.from(written) : written, contentType)
  }

  ensureTopic(name: string, partitions?: number): Promise<void> {
    return this.#topics.ensure(name, partitions)
  }

  forgetTopic(name: string): void {
    this.#topics.forget(name)
  }

  unregisterTopic(topic: string): Promise<void> {
    return this.#topics.unregister(topic)
  }

  /** Waits for what is under way, tells the rest that it is given up. */
  async close(timeoutMs: number): Promise<{ unanswered: number }> {
    const { producers } = this.#outlets
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([Promise.all(producers.map((producer) => producer.idle())), timeUp])
    clearTimeout(timer)
    const unanswered = producers.reduce((sum, producer) => sum + producer.unanswered, 0)
    const error = new BuswayError('BUS_CLOSED', 'The bus was closed before this publish was sent. Nothing was written.')
    for (const producer of producers) producer.abandon(error)
    return { unanswered }
  }
}

function isPlain(entry: { body: unknown }): boolean {
  for (const name in entry) if (name !== 'body') return false
  return !(entry.body instanceof EncodedBody)
}

function checkTotal(prepared: readonly { readonly bodyBytes: number }[]): void {
  if (prepared.length < 2) return
  const bytes = prepared.reduce((sum, message) => sum + message.bodyBytes, 0)
  if (bytes <= BATCH_TOTAL_BYTES) return
  throw new BuswayError(
    'BATCH_TOO_LARGE',
    `publishBatch takes ${BATCH_TOTAL_BYTES.toLocaleString('en')} bytes of bodies at most, since they are all or none in one script call; these are ${bytes.toLocaleString('en')}. Split them.`,
    { details: { bytes } },
  )
}

const differing = (entry: number): BuswayError =>
  new BuswayError(
    'INVALID_OPTIONS',
    `publishBatch: entry ${entry} has another durability than entry 0; the batch is all or none, so it has one. Give all the same.`,
  )

const half = (entry: number): BuswayError =>
  new BuswayError(
    'INVALID_OPTIONS',
    `publishBatch: of entries 0 and ${entry} one has an EncodedBody and the other has none. Publish them apart.`,
  )

/** What else keeps the topic from being made keeps what is published to it from being relayed for a while, and is no reason for a handler to fail. */
function unlessInvalid(error: unknown): void {
  if (error instanceof BuswayError && error.code === 'CONFIG_INVALID') throw error
}

const ofSettles = (): BuswayError =>
  new BuswayError(
    'INVALID_OPTIONS',
    'ctx.publish: durability is of publishes by themselves. What joins a settle is lost with it, if at all, and then the message runs again. Leave it out.',
  )

/** Tells observers of a publish, if there are any, with moments that are finer than milliseconds. */
function told(pipeline: Pipeline, batch: PublishBatch, run: () => Promise<Receipt[]>): Promise<Receipt[]> {
  if (!pipeline.listens('published')) return run()
  const startMs = wallMs(performance.now())
  return run().then(
    (receipts) => {
      tell(pipeline, batch, startMs, receipts)
      return receipts
    },
    (error) => {
      tell(pipeline, batch, startMs, [], error)
      throw error
    },
  )
}

function tell(
  pipeline: Pipeline,
  { topic, via, messages }: PublishBatch,
  startMs: number,
  receipts: readonly Receipt[],
  error?: Error,
): void {
  const event = { topic, count: messages.length, receipts, via, startMs, endMs: wallMs(performance.now()) }
  pipeline.emit('published', error === undefined ? event : { ...event, error })
}

const isBare = (pipeline: Pipeline): boolean =>
  pipeline.publish === undefined && pipeline.guards.publish.length === 0 && !pipeline.listens('published')

function outgoing(given: unknown, options: object, requester?: ReportRequester): Outgoing {
  const value = given instanceof EncodedBody ? given.bytes : given
  // Callers may go on to change what they published.
  const body = value instanceof Uint8Array ? Buffer.from(value) : value
  const message: Outgoing = {
    body,
    contentType: given instanceof EncodedBody ? given.contentType : body instanceof Uint8Array ? BYTES_TYPE : JSON_TYPE,
    headers: { ...(options as { headers?: Record<string, string> }).headers },
    options: options as Record<string, unknown>,
  }
  if (requester !== undefined) message.reportTo = requester
  return message
}
