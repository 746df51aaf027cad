/**
 * What is always true of a topic's data, between any two scripts (docs/data-model.md, rule 6 and the tables): every message that is
 * not finished is held exactly once per group, `pending` and the counts say so too, and no key is there that nobody accounts for.
 */
import { checkRange, Holding } from './holding.js'
import { nameOf } from './marks.js'
import { type GroupSnapshot, keyAt, type Range, type TopicSnapshot } from './snapshot.js'

/** Everything that contradicts the data model, as sentences. Empty: the topic is sound. */
export function violations(topic: TopicSnapshot): string[] {
  const found: string[] = []
  const say = (what: string) => found.push(what)
  for (const name of topic.unknown) say(`the key ${name} is not in the data model`)
  const owed = new Map<string, number>()
  const owe = (batch: string, count: number) => owed.set(batch, (owed.get(batch) ?? 0) + count)

  checkLog(topic, owe, say)
  const nobody = { ref: 'nobody', done: topic.unclaimedDone, marks: topic.unclaimedMarks }
  const unclaimed = new Holding(topic, nobody, owe, say)
  for (const range of topic.unclaimed) unclaimed.holdListed(range, 'unclaimed')
  for (const range of topic.unclaimedLater) unclaimed.holdListed(range, 'unclaimed:later')
  for (const { member, score } of topic.unclaimedPriority) {
    if (score !== -(member.range.priority ?? 0)) say(`${member.range.batch} of the unclaimed has the score ${score}`)
    unclaimed.holdListed(member.range, 'unclaimed:priority')
  }
  const heir = Number(topic.meta.get('generation') ?? 0) + 1
  let unclaimedHeld = 0
  for (const [name, ranges] of topic.lines) {
    const [, generation, key] = /^(\d+):(.*)$/s.exec(name) as unknown as [string, string, string]
    if (Number(generation) !== heir) {
      if (![...topic.groups.keys()].some((ref) => ref.endsWith(`@${generation}`)))
        say(`the line ${name} belongs to no group`)
      continue
    }
    if (!topic.unclaimedLines.has(key)) say(`unclaimed:lines does not know ${key}`)
    for (const range of ranges) unclaimedHeld += unclaimed.holdListed(range, 'an unclaimed line')
  }
  unclaimed.checkMarks({ marks: topic.meta.get('unclaimedMarks'), stale: topic.meta.get('unclaimedStale') })
  const marks = sum([nobody, ...topic.groups.values()], ({ marks }) => marks.size)
  if (Number(topic.notes.get('marks') ?? 0) !== marks)
    say(`groups note ${topic.notes.get('marks')} marks, there are ${marks}`)
  for (const [name, record] of topic.unclaimedFailures) {
    if (record !== '0 0 . null') say(`what no group has yet cannot have failed: ${name} ${record}`)
    if (!unclaimed.has(name)) say(`unclaimed:failures knows ${name}, which is not unclaimed`)
  }
  for (const { member } of topic.scheduled) {
    checkRange(topic, member.range, 'scheduled', say)
    owe(member.range.batch, member.range.count)
  }
  for (const group of topic.groups.values()) checkGroup(topic, group, owe, say)

  for (const [batch, pending] of topic.pending) {
    if (pending !== (owed.get(batch) ?? 0)) say(`pending of ${batch} is ${pending}, held are ${owed.get(batch) ?? 0}`)
    if (!topic.batches.has(batch)) say(`batch ${batch} is pending but not stored`)
  }
  for (const [batch, count] of owed)
    if (count > 0 && !topic.pending.has(batch)) say(`${count} of batch ${batch} are held, but it is not pending`)
  for (const [batch, value] of topic.batches) {
    if (!topic.pending.has(batch)) say(`batch ${batch} is stored but not pending`)
    const count = value.readUInt16LE(2)
    if (topic.large.has(batch) !== count > 1) say(`batch ${batch} of ${count} is stored as the wrong kind`)
  }

  for (const [kind, ids] of [
    ['replies', topic.replies.keys()],
    ['result', topic.results.keys()],
  ] as const)
    for (const id of ids) if (!topic.expiring.has(`${kind}:${id}`)) say(`${kind}:${id} never goes`)
  for (const batch of topic.follows.keys())
    if (!topic.batches.has(batch)) say(`follows knows ${batch}, which is not stored`)
  const scheduled = new Map(topic.scheduled.map(({ member }) => [nameOf(member.range), member.seq]))
  for (const [name, member] of topic.deferred)
    if (scheduled.get(name) !== member.slice(0, 14)) say(`deferred knows ${name}, which is not scheduled so`)
  for (const { member } of topic.scheduled) {
    if (member.range.count !== 1) say(`${member.range.count} messages are scheduled as one`)
    if (!topic.deferred.has(nameOf(member.range))) say(`deferred does not know ${nameOf(member.range)}`)
  }
  const generation = Number(topic.meta.get('generation') ?? 0)
  if (Number(topic.notes.get('generation') ?? 0) !== generation)
    say(`groups note the generation ${topic.notes.get('generation')}, the last is ${generation}`)
  for (const [batch, last] of topic.givenTo)
    if (last > generation + 1) say(`batch ${batch} was given to the generation ${last}, the last is ${generation}`)

  const same = (what: string, counted: string | undefined, held: number) => {
    if (Number(counted ?? 0) !== held) say(`${what} is ${counted}, held are ${held}`)
  }
  same(
    'meta scheduled',
    topic.meta.get('scheduled'),
    sum(topic.scheduled, ({ member }) => member.range.count),
  )
  same(
    'meta unclaimed',
    topic.meta.get('unclaimed'),
    sum(topic.unclaimed, ({ count }) => count) +
      sum(topic.unclaimedLater, ({ count }) => count) +
      sum(topic.unclaimedPriority, ({ member }) => member.range.count) +
      unclaimedHeld,
  )
  same(
    'meta unclaimedLater',
    topic.meta.get('unclaimedLater'),
    sum(topic.unclaimedLater, ({ count }) => count),
  )
  same('note later', topic.notes.get('later'), topic.unclaimedLater.length > 0 ? 1 : 0)
  same('meta unclaimedHeld', topic.meta.get('unclaimedHeld'), unclaimedHeld)
  same(
    'meta unclaimedUnsorted',
    topic.meta.get('unclaimedUnsorted'),
    sum(topic.unclaimed, ({ listed, count }) => (listed ? count : 0)),
  )
  same(
    'meta unclaimedPrioritized',
    topic.meta.get('unclaimedPrioritized'),
    sum(topic.unclaimedPriority, ({ member }) => member.range.count),
  )
  for (const destination of new Set([...topic.outbox.keys(), ...topic.outboxes.keys()]))
    same(`outbox ${destination}`, topic.outbox.get(destination), topic.outboxes.get(destination)?.length ?? 0)
  same(
    'meta outbox',
    topic.meta.get('outbox'),
    sum([...topic.outboxes.values()], ({ length }) => length),
  )
  const isBlocked = topic.blocked.length > 0
  if (topic.meta.has('blocked') !== isBlocked) say(`meta blocked is wrong: ${topic.blocked.length} buses wait for room`)
  const needs = [...topic.blockedNeeds.keys()].sort()
  const buses = topic.blocked.map(({ member }) => member).sort()
  if (needs.join() !== buses.join()) say(`blocked are ${buses}, blocked:need knows ${needs}`)
  for (const [session] of topic.outcomes) {
    if (!topic.producers.get(session)?.endsWith(' o'))
      say(`producer ${session} has outcomes that its entry does not name`)
  }
  return found
}

/** The log is as a group that is to finish all that it has; it has each message once, and no more than it may. */
function checkLog(
  topic: TopicSnapshot,
  owe: (batch: string, count: number) => void,
  say: (what: string) => void,
): void {
  const logged = new Map<string, number>()
  const followed = new Map<string, number>()
  // That of a topic which is deleted is replayed by nobody: what was withdrawn from it is forgotten, so it may have a message twice.
  const logs = [topic.log, ...[...topic.groups.values()].map(({ log }) => log)]
  for (const log of logs) {
    let end = 0
    for (const { member, score } of log) {
      const { range } = member
      checkRange(topic, range, 'log', say)
      owe(range.batch, range.count)
      if (score < end) say(`${range.batch} is logged at ${score}, but what is before it ends at ${end}`)
      end = score + range.count
      if (topic.follows.has(range.batch) || topic.logFollowed.has(range.batch))
        followed.set(range.batch, (followed.get(range.batch) ?? 0) + 1)
      for (let index = range.from; index < range.from + range.count; index++) {
        const message = nameOf({ ...range, from: index })
        const before = logged.get(message)
        if (log === topic.log && before !== undefined && !(before < (topic.logGone.get(message) ?? 0)))
          say(`${message} is logged twice`)
        logged.set(message, score)
      }
    }
    if (end > Number(topic.meta.get('logEnd') ?? 0))
      say(`the log ends at ${end}, meta says ${topic.meta.get('logEnd')}`)
  }
  for (const batch of new Set([...followed.keys(), ...topic.logFollowed.keys()]))
    if (followed.get(batch) !== topic.logFollowed.get(batch))
      say(`log:followed says ${topic.logFollowed.get(batch)} of ${batch}, logged are ${followed.get(batch)}`)
  if (topic.log.length === 0 && topic.logGone.size > 0) say('log:gone is there without a log')
  if (topic.settings.get('retain') === 'n0' && topic.log.length === 0) say('a log that ended is still retained')
  const [, most] = /^n(\d+)$/.exec(topic.settings.get('retain') ?? '') ?? []
  const kept = topic.log.length > 0 ? Number(topic.meta.get('logEnd')) - (topic.log[0]?.score ?? 0) : 0
  const first = topic.log[0]?.member.range.count ?? 0
  if (most !== undefined && topic.log.length < 100 && kept - first >= Number(most) && kept > 0)
    say(`${kept} messages are retained, ${most} may be`)
}

function checkGroup(
  topic: TopicSnapshot,
  group: GroupSnapshot,
  owe: (batch: string, count: number) => void,
  say: (what: string) => void,
): void {
  const holding = new Holding(topic, group, owe, say)
  const lined = sum([...group.line.values()].flat(), (range) => holding.holdListed(range, 'a line'))
  const prioritized = sum(group.priority, ({ member }) => holding.holdListed(member.range, 'priority'))
  const later = sum(group.later, (range) => holding.holdListed(range, 'later'))
  const ready =
    prioritized +
    later +
    sum(group.ready, (range) => holding.holdListed(range, 'ready')) +
    sum(group.suspects, (range) => holding.holdListed(range, 'suspects'))
  const retrying = sum(group.retry, ({ member }) => holding.hold(member.range, 'retry'))
  for (const { member } of group.retry)
    if (group.retrying.get(member.range.batch)?.slice(0, 14) !== member.seq)
      say(`${group.ref}: retrying does not know ${member.range.batch}`)
  if (group.retrying.size !== group.retry.length) say(`${group.ref}: retrying knows what is not retried`)
  const scheduled = sum(group.scheduled, ({ member }) => holding.hold(member.range, 'scheduled'))
  const dead = sum(group.dead, ({ member }) =>
    holding.hold({ from: 0, count: 1, total: 1, batch: member, again: true }, 'dead'),
  )
  let inFlight = 0
  for (const [session, { leases, fields }] of group.sessions) {
    for (const [number, range] of leases) {
      const live = holding.hold(range, `lease ${number} of ${session}`)
      if (live === 0) say(`${group.ref}: lease ${number} of ${session} holds nothing that is not done`)
      inFlight += live
      if (!((range.sinceMs ?? 0) > 1e12)) say(`${group.ref}: lease ${number} of ${session} does not say since when`)
      if (number > Number(fields.get('lease') ?? 0))
        say(`${group.ref}: lease ${number} is above the highest of ${session}`)
    }
  }
  for (const [name, count] of Object.entries({
    ready,
    later,
    prioritized,
    unsorted: sum(group.ready, ({ listed, count }) => (listed ? count : 0)),
    held: lined,
    inFlight,
    retrying,
    scheduled,
    dead,
  })) {
    const stated = Number(group.state.get(name) ?? 0)
    if (stated !== count) say(`${group.ref}: ${name} is ${stated}, held are ${count}`)
  }

  holding.checkMarks({ marks: group.state.get('marks'), stale: group.state.get('stale') })
  if (Number(group.state.get('watching') ?? 0) !== group.watched.size)
    say(`${group.ref}: watching is ${group.state.get('watching')}, watched are ${group.watched.size}`)
  for (const { member, score } of group.priority)
    if (!member.range.priority || score !== -member.range.priority)
      say(`${group.ref}: ${member.range.batch} has the score ${score} and the priority ${member.range.priority}`)
  const isBehind = topic.notes.has(`behind@${group.ref.slice(group.ref.lastIndexOf('@') + 1)}`)
  const isRemoved = [...topic.removing.values()].some((text) => text.split(' ')[0] === group.ref)
  if (!isRemoved && group.state.has('behind') !== isBehind)
    say(`${group.ref}: groups say whether it is behind, wrongly`)
  if (!isRemoved && later > 0 && !isBehind) say(`${group.ref}: something waits behind what it does not replay`)
  for (const range of group.ready)
    if (range.priority && !range.listed) say(`${group.ref}: ${range.batch} has a priority and is in ready`)
  for (const range of [
    ...group.suspects,
    ...[...group.line.values()].flat(),
    ...group.priority.map(({ member }) => member.range),
  ])
    if (range.listed) say(`${group.ref}: ${range.batch} is unsorted where nothing may be`)
  checkKeys(group, say)
  for (const id of group.deadTraits.keys())
    if (!group.dead.some(({ member }) => member === id)) say(`${group.ref}: dead:traits knows ${id}, which is not dead`)
  for (const { range, where } of [
    ...group.suspects.map((range) => ({ range, where: 'suspects' })),
    ...group.retry.map(({ member }) => ({ range: member.range, where: 'retry' })),
  ])
    if (range.total !== 1) say(`${group.ref}: ${range.batch} in ${where} is not rehomed`)
  for (const [batch] of group.failures) {
    if (!holding.has(batch)) say(`${group.ref}: failures knows ${batch}, which the group does not hold`)
  }
  for (const [batch, done] of group.done) {
    const value = topic.batches.get(batch)
    if (!value) say(`${group.ref}: done knows ${batch}, which is not stored`)
    else if (done.length !== value.readUInt16LE(2) || !/^[01]+$/.test(done))
      say(`${group.ref}: done of ${batch} is ${done}`)
  }
  checkSessions(group, say)
}

/** One place at a time has messages of a key that are out: a range that waits, or one session. */
function checkKeys(group: GroupSnapshot, say: (what: string) => void): void {
  const places = new Map<string, Map<string, number>>()
  const out = (range: Range, place: string, isListed = false) => {
    // What is unsorted takes its keys' turns when it is taken.
    if (isListed && range.listed) return
    const done = group.done.get(range.batch)
    for (let index = range.from; index < range.from + range.count; index++) {
      const key = keyAt(range, index)
      // What is nothing any more has its key's turn until it is met.
      const counts = isListed || done?.[index] !== '1'
      if (key === undefined || (range.listed && !counts)) continue
      const ofKey = places.get(key) ?? new Map<string, number>()
      ofKey.set(place, (ofKey.get(place) ?? 0) + (counts ? 1 : 0))
      places.set(key, ofKey)
    }
  }
  let n = 0
  const listed = [...group.ready, ...group.suspects, ...group.priority.map(({ member }) => member.range)]
  for (const range of listed) out(range, `range ${n++}`, true)
  for (const { member } of group.retry) if (!member.joins) out(member.range, `range ${n++}`)
  for (const [session, { leases }] of group.sessions) for (const range of leases.values()) out(range, session)
  for (const [key, ofKey] of places) {
    if (ofKey.size > 1) say(`${group.ref}: the key ${key} is out in ${[...ofKey.keys()]}`)
    const count = sum([...ofKey.values()], (open) => open)
    if (group.keys.get(key) !== count) say(`${group.ref}: keys says ${group.keys.get(key)} of ${key}, out are ${count}`)
  }
  for (const key of group.keys.keys()) if (!places.has(key)) say(`${group.ref}: keys knows ${key}, which is not out`)
  for (const [key, ranges] of group.line) {
    if (!group.keys.has(key)) say(`${group.ref}: ${key} has a line and nothing out`)
    if (!group.lines.has(key)) say(`${group.ref}: lines does not know ${key}`)
    for (const range of ranges) if (range.key !== key) say(`${group.ref}: ${range.batch} stands in the line of ${key}`)
  }
  for (const key of group.lines)
    if (!group.line.has(key) && !group.keys.has(key)) say(`${group.ref}: lines knows ${key}, of which nothing is out`)
}

function checkSessions(group: GroupSnapshot, say: (what: string) => void): void {
  const live = new Set(group.live.map(({ member }) => member))
  for (const [session, { fields }] of group.sessions) {
    if (fields.size === 0) say(`${group.ref}: ${session} has leases but no session`)
    if (!live.has(session) && !group.expired.includes(session))
      say(`${group.ref}: ${session} is neither live nor expired`)
  }
  const exist = [...group.sessions.keys()].sort()
  if (JSON.stringify(group.roster) !== JSON.stringify(exist))
    say(`${group.ref}: the roster says ${group.roster}, the sessions are ${exist}`)
  for (const session of live) {
    if (!group.sessions.get(session)?.fields.size) say(`${group.ref}: ${session} is live but has no session`)
    if (group.expired.includes(session)) say(`${group.ref}: ${session} is live and expired`)
  }
  if (new Set(group.expired).size !== group.expired.length) say(`${group.ref}: a session is expired twice`)
  for (const { member } of group.waiting) if (!live.has(member)) say(`${group.ref}: ${member} waits but is not live`)
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
