/**
 * What Redis should hold, in terms of messages instead of batches and ranges: a message is a number, and is in exactly one place per group until the
 * group has ended it.
 */

/** The number in a message's body. */
export type MessageNumber = number

export interface PutOff {
  readonly message: MessageNumber
  dueMs: number
  readonly order: number
  /** It goes to the front when it is due. */
  readonly front?: boolean
  /** In a group: it was put off while it waited, and joins the back when it is due. */
  readonly back?: boolean
}

export interface ModelLease {
  /** Not finished, in the order of their batch. */
  open: MessageNumber[]
  readonly sinceMs: number
}

export interface ModelSession {
  readonly id: string
  readonly concurrency: number
  readonly maxCrashes: number
  epoch: number
  /** Number of the last request that was applied. */
  applied: number
  lastLease: number
  solo: number | undefined
  closing: boolean
  /** Its lease is over by the clock; nobody has fenced it off yet. */
  overdue: boolean
  readonly leases: Map<number, ModelLease>
}

export interface ModelFailure {
  attempts: number
  crashes: number
}

/** Where a group has a message. */
export interface ModelPlace extends ModelFailure {
  readonly group: string
  readonly state: string
  readonly session: string | undefined
  readonly sinceMs: number | undefined
  readonly dueAtMs: number | undefined
}

/** What was logged as one, and how many messages were logged before. */
export interface Retained {
  readonly at: number
  readonly messages: readonly MessageNumber[]
}

export class ModelGroup {
  readonly name: string
  ref = ''
  paused = false
  /** How many messages may be in flight, and what the last option said of it. */
  limit: number | undefined
  limitGiven: number | undefined
  ready: MessageNumber[] = []
  /** Those that wait with a priority other than 0, by it. */
  readonly prioritized = new Map<number, MessageNumber[]>()
  suspects: MessageNumber[] = []
  retry: PutOff[] = []
  readonly dead = new Set<MessageNumber>()
  readonly failures = new Map<MessageNumber, ModelFailure>()
  readonly sessions = new Map<string, ModelSession>()
  /** What may have been run by somebody whose session is gone, or died once: told when it is handed out. */
  readonly again = new Set<MessageNumber>()
  /** Ends that whoever waits for a message is told: done, died, purged while it waited. */
  readonly told: MessageNumber[] = []
  /** Everything that this group was ever given, and whether it has ended it. */
  readonly given = new Map<MessageNumber, boolean>()
  /** It replays what is retained from `cursor` to `end`; until it is done what is published waits in `later`. */
  behind: { cursor: number; readonly end: number } | undefined
  later: MessageNumber[] = []
  keepsLater = false
  /** What it was given because it is retained: nobody is told how it ends there. */
  readonly replayed = new Set<MessageNumber>()
  isFromBeginning = false

  /** Of messages that were changed while they waited here. */
  readonly priorities = new Map<MessageNumber, number>()

  readonly #model: Model

  constructor(name: string, model: Model) {
    this.name = name
    this.#model = model
  }

  /** All that waits and is no suspect, in the order in which it is to be taken. */
  waiting(): MessageNumber[] {
    const of = (which: (priority: number) => boolean) =>
      [...this.prioritized].filter(([priority]) => which(priority)).sort(([a], [b]) => b - a)
    return [
      ...of((priority) => priority > 0).flatMap(([, messages]) => messages),
      ...this.ready,
      ...of((priority) => priority < 0).flatMap(([, messages]) => messages),
      ...this.later,
    ]
  }

  /** The next `count` are taken. */
  take(count: number): MessageNumber[] {
    const taken = this.waiting().slice(0, count)
    const left = (messages: readonly MessageNumber[]) => messages.filter((message) => !taken.includes(message))
    this.ready = left(this.ready)
    for (const [priority, messages] of this.prioritized) this.prioritized.set(priority, left(messages))
    return taken
  }

  get inFlight(): number {
    return [...this.sessions.values()].reduce(
      (sum, { leases }) => [...leases.values()].reduce((n, { open }) => n + open.length, sum),
      0,
    )
  }

  /** How many more may be in flight. */
  get room(): number {
    return Math.max(0, (this.limit ?? Number.POSITIVE_INFINITY) - this.inFlight)
  }

  give(messages: readonly MessageNumber[], front = false): void {
    for (const message of messages) {
      if (this.given.has(message)) throw new Error(`${message} was given to ${this.name} twice`)
      this.given.set(message, false)
    }
    if (front) this.makeReady(messages, front)
    else this.join(messages)
  }

  /** At the back of all that waits. */
  join(messages: readonly MessageNumber[]): void {
    if (this.behind) this.later.push(...messages)
    else this.makeReady(messages, false)
  }

  /** Where it is by now in what it replays, and what still waits behind that. */
  catchUp(retained: readonly Retained[], cursor: number, later: readonly MessageNumber[], isBehind: boolean): void {
    if (!this.behind) return
    for (const { at, messages } of retained) {
      if (at < this.behind.cursor || at >= Math.min(cursor, this.behind.end)) continue
      const isNew = (message: MessageNumber) => !this.given.has(message) && !this.#model.cancelled.has(message)
      for (const message of messages.filter(isNew)) {
        this.given.set(message, false)
        this.replayed.add(message)
        this.priorities.set(message, this.#model.loggedPriorities.get(message) ?? 0)
        this.makeReady([message], false)
      }
    }
    this.behind.cursor = cursor
    this.makeReady(this.later.splice(0, this.later.length - later.length), false)
    if (!isBehind) this.behind = undefined
  }

  makeReady(messages: readonly MessageNumber[], front: boolean): void {
    const priorityOf = (message: MessageNumber) =>
      this.priorities.get(message) ?? this.#model.priorities.get(message) ?? 0
    for (const priority of new Set(messages.map(priorityOf))) {
      const some = messages.filter((message) => priorityOf(message) === priority)
      const line = priority === 0 ? this.ready : (this.prioritized.get(priority) ?? [])
      if (priority !== 0) this.prioritized.set(priority, line)
      if (front) line.unshift(...some)
      else line.push(...some)
    }
  }

  /** Takes a message out of where it waits; answers whether it did. */
  withdraw(message: MessageNumber): boolean {
    const others = (messages: readonly MessageNumber[]) => messages.filter((each) => each !== message)
    const waits =
      this.waiting().includes(message) ||
      this.suspects.includes(message) ||
      this.retry.some((item) => item.message === message)
    this.ready = others(this.ready)
    for (const [priority, messages] of this.prioritized) this.prioritized.set(priority, others(messages))
    this.suspects = others(this.suspects)
    this.later = others(this.later)
    this.retry = this.retry.filter((item) => item.message !== message)
    return waits
  }

  end(message: MessageNumber): void {
    if (this.given.get(message) !== false) throw new Error(`${message} ended twice in ${this.name}`)
    this.given.set(message, true)
    this.failures.delete(message)
    // Of a dead letter it was told when it died.
    if (this.dead.has(message)) return
    this.tell(message)
    this.#model.happened('settled', message, this)
  }

  tell(message: MessageNumber): void {
    if (!this.replayed.has(message)) this.told.push(message)
  }

  die(message: MessageNumber): void {
    this.dead.add(message)
    this.tell(message)
    // Its last failure is not tried again.
    this.#model.unhappened('retried', message, this)
    this.#model.happened('dead', message, this)
  }

  fail(message: MessageNumber, attempts: number, crashes: number): ModelFailure {
    const failure = this.failures.get(message) ?? { attempts: 0, crashes: 0 }
    failure.attempts += attempts
    failure.crashes += crashes
    this.failures.set(message, failure)
    this.#model.happened('retried', message, this)
    return failure
  }

  /** As it is told of a message by its id; undefined: it was not given it. */
  placeOf(message: MessageNumber, scheduledMs: number | undefined): ModelPlace | undefined {
    const ended = this.given.get(message)
    const told = (state: string, more: Partial<ModelPlace> = {}): ModelPlace => ({
      ...{ group: this.name, state, session: undefined, dueAtMs: undefined, sinceMs: undefined },
      ...{ attempts: 0, crashes: 0, ...this.failures.get(message), ...more },
    })
    if (scheduledMs !== undefined) return told('scheduled', { dueAtMs: scheduledMs })
    if (ended === undefined) return undefined
    if (ended) return told('done')
    if (this.dead.has(message)) return told('dead')
    const retried = this.retry.find((item) => item.message === message)
    if (retried) return told('retrying', { dueAtMs: retried.dueMs })
    for (const [session, { leases }] of this.sessions)
      for (const { open, sinceMs } of leases.values())
        if (open.includes(message)) return told('inFlight', { session, sinceMs })
    return told('ready')
  }

  /** Every place that holds a message of this group that has not ended. */
  held(): MessageNumber[] {
    return [
      ...this.waiting(),
      ...this.suspects,
      ...this.retry.map(({ message }) => message),
      ...this.dead,
      ...[...this.sessions.values()].flatMap(({ leases }) => [...leases.values()].flatMap(({ open }) => open)),
    ]
  }
}

export class Model {
  readonly groups = new Map<string, ModelGroup>()
  /** What no group has yet waits in the same order as in one. */
  nobody = new ModelGroup('', this)
  /** Of messages that have one other than 0. */
  readonly priorities = new Map<MessageNumber, number>()
  /** Messages whose time was up when they were published. */
  readonly expired = new Set<MessageNumber>()
  /** Messages that were put off when they were published. */
  readonly delayed = new Set<MessageNumber>()
  readonly cancelled = new Set<MessageNumber>()
  /** Messages that were changed while they waited in a list. */
  readonly moved = new Set<MessageNumber>()
  scheduled: PutOff[] = []
  /** How many messages may wait. */
  bound: number | undefined
  /** How much room the producer that waits for some was refused; it may have been told of room since. */
  need = 0
  /** Staged for the other topic, in the order of the settles, and not yet relayed. */
  outbox: MessageNumber[] = []
  /** What the other topic has been given. */
  relayed: MessageNumber[] = []
  /** Messages that a requester waits for. */
  readonly asked = new Set<MessageNumber>()
  /** What it was told of by groups that were removed, and of what no group had. */
  readonly toldByOthers: string[] = []
  /** What ended before any group had it. */
  readonly endedUngiven = new Set<MessageNumber>()
  /** What whoever watches is to be told since it was asked last: `<what> <message> <group>`. */
  #events: string[] = []
  /** Own ids that exist, with the message that has each. */
  readonly ownIds = new Map<string, MessageNumber>()
  /** How many messages are retained; undefined: none. */
  retain: number | undefined
  /** All that was to be retained, in the order in which it became available. */
  logged: MessageNumber[] = []
  readonly loggedPriorities = new Map<MessageNumber, number>()
  #messages = 0
  #order = 0

  /** Of the group that has most, or of nobody; and what is delayed. */
  get messagesWaiting(): number {
    const ofGroups = [...this.groups.values()].map(
      (group) => group.waiting().length + group.suspects.length + group.retry.length,
    )
    return Math.max(this.nobody.waiting().length, ...ofGroups) + this.scheduled.length
  }

  newMessages(count: number): MessageNumber[] {
    return Array.from({ length: count }, () => ++this.#messages)
  }

  nextOrder(): number {
    return ++this.#order
  }

  happened(what: string, message: MessageNumber, { name }: { readonly name: string }): void {
    this.#events.push(`${what} ${message} ${name}`)
  }

  unhappened(what: string, message: MessageNumber, { name }: { readonly name: string }): void {
    this.#events.splice(this.#events.lastIndexOf(`${what} ${message} ${name}`), 1)
  }

  takeEvents(): string[] {
    return this.#events.splice(0)
  }

  remove(group: ModelGroup): void {
    for (const message of group.held()) {
      if (group.dead.has(message)) continue
      group.tell(message)
      this.happened('settled', message, group)
    }
    this.toldByOthers.push(...this.#toldBy(group))
    this.groups.delete(group.name)
  }

  /** What no group had ends. */
  endWithoutGroup(messages: readonly MessageNumber[]): void {
    for (const message of messages) {
      this.endedUngiven.add(message)
      this.happened('settled', message, this.nobody)
      if (this.asked.has(message)) this.toldByOthers.push(`${message} `)
    }
  }

  endScheduled(): void {
    this.endWithoutGroup(this.scheduled.map(({ message }) => message))
    this.scheduled = []
  }

  endUnclaimed(): void {
    this.endWithoutGroup(this.nobody.waiting())
    this.nobody = new ModelGroup('', this)
  }

  /** Ends one message that no group has yet; answers whether it is one. */
  endUngiven(message: MessageNumber): boolean {
    const isScheduled = this.scheduled.some((item) => item.message === message)
    if (!isScheduled && !this.nobody.withdraw(message)) return false
    this.scheduled = this.scheduled.filter((item) => item.message !== message)
    this.endWithoutGroup([message])
    return true
  }

  /** `<message> <group>`, of every end that a requester is told of. */
  get told(): string[] {
    return [...this.toldByOthers, ...[...this.groups.values()].flatMap((group) => this.#toldBy(group))]
  }

  #toldBy({ told, name }: ModelGroup): string[] {
    return told.filter((message) => this.asked.has(message)).map((message) => `${message} ${name}`)
  }

  /** What a script made available: what goes to the back, then, from the last to the first, what goes to the front. */
  log(back: readonly MessageNumber[], front: readonly (readonly MessageNumber[])[] = []): void {
    const messages = [...back, ...front.toReversed().flat()]
    if (this.retain !== undefined) this.logged.push(...messages)
    for (const message of messages) this.loggedPriorities.set(message, this.priorities.get(message) ?? 0)
  }

  /** What no group has yet waits. Its heir may have to replay before. */
  keep(messages: readonly MessageNumber[], front: boolean): void {
    if (front || (this.retain === undefined && !this.nobody.keepsLater)) {
      this.nobody.makeReady(messages, front)
      return
    }
    this.nobody.keepsLater = true
    this.nobody.later.push(...messages)
  }

  /** Accepts messages as one batch. */
  accept(messages: readonly MessageNumber[], front: boolean): void {
    if (this.groups.size === 0) this.keep(messages, front)
    for (const group of this.groups.values()) group.give(messages, front)
  }

  schedule(messages: readonly MessageNumber[], dueMs: number, front: boolean): void {
    // Of those for the front the last to be due is the first to be taken.
    const inOrder = front ? messages.toReversed() : messages
    for (const message of messages) this.delayed.add(message)
    for (const message of inOrder) this.scheduled.push({ message, dueMs, order: this.nextOrder(), front })
  }

  /** What `advance` does to what is due, seen from the group that advances. */
  promote(group: ModelGroup, nowMs: number): void {
    const due = takeDue(group.retry, nowMs)
    group.retry = due.later
    const suspect = (message: MessageNumber) => (group.failures.get(message)?.crashes ?? 0) > 0
    const retries = due.now.map(({ message }) => message)
    const plain = due.now.filter(({ message }) => !suspect(message))
    group.makeReady(
      plain.filter(({ back }) => !back).map(({ message }) => message),
      true,
    )
    group.join(plain.filter(({ back }) => back).map(({ message }) => message))
    group.suspects.unshift(...retries.filter(suspect))
    const scheduled = takeDue(this.scheduled, nowMs)
    this.scheduled = scheduled.later
    const [ahead = [], back = []] = [true, false].map((isAhead) =>
      scheduled.now.filter(({ front = false }) => front === isAhead).map(({ message }) => message),
    )
    this.log(back, [ahead.toReversed()])
    for (const each of this.groups.values()) {
      each.give(scheduled.now.filter(({ front }) => !front).map(({ message }) => message))
      for (const { message, front } of scheduled.now) if (front) each.give([message], true)
    }
  }

  /** Whether anything of a message is left anywhere in the topic. */
  exists(message: MessageNumber): boolean {
    if (this.nobody.waiting().includes(message)) return true
    if (this.scheduled.some((item) => item.message === message)) return true
    return [...this.groups.values()].some((group) => group.given.get(message) === false)
  }
}

function takeDue(items: readonly PutOff[], nowMs: number): { now: PutOff[]; later: PutOff[] } {
  const due = items.filter(({ dueMs }) => dueMs <= nowMs)
  due.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
  return { now: due, later: items.filter(({ dueMs }) => dueMs > nowMs) }
}
