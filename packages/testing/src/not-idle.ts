import type { TopicStats } from '@busway/bus'

/** States of a message that may last, so that a test may want to leave them out. */
export type WaitingState = 'retrying' | 'scheduled' | 'unclaimed'

/** The bus still had something to do when the time was up. The message says what, and what may be in its way. */
export class NotIdleError extends Error {
  readonly code = 'NOT_IDLE'
  /** What was left at the last look, one line for each topic and group. */
  readonly left: readonly string[]

  constructor(timeoutMs: number, left: readonly string[]) {
    super(`The bus was not idle within ${timeoutMs} ms:${left.map((line) => `\n  ${line}`).join('')}`)
    this.name = 'NotIdleError'
    this.left = left
  }
}

/** What of a topic is not at its end, a line each. */
export function leftIn(topic: string, stats: TopicStats, ignored: ReadonlySet<WaitingState>): string[] {
  const lines: string[] = []
  const { scheduled, unclaimed, outbox } = stats
  const ofTopic = [
    scheduled > 0 && !ignored.has('scheduled') && `${scheduled} scheduled`,
    unclaimed > 0 && !ignored.has('unclaimed') && `${unclaimed} unclaimed, as no group consumes it`,
    outbox > 0 && `${outbox} on the way to other topics`,
  ].filter((part) => part !== false)
  if (ofTopic.length > 0) lines.push(`${topic}: ${ofTopic.join(', ')}`)
  for (const [group, { ready, inFlight, retrying, held, paused, consumers }] of Object.entries(stats.groups)) {
    const parts = [
      ready > 0 && `${ready} ready`,
      held > 0 && `${held} held`,
      inFlight > 0 && `${inFlight} in flight`,
      retrying > 0 && !ignored.has('retrying') && `${retrying} retrying`,
    ].filter((part) => part !== false)
    if (parts.length === 0) continue
    const obstacle = paused ? '; the group is paused' : consumers === 0 ? '; nobody consumes' : ''
    lines.push(`${topic}, group ${group}: ${parts.join(', ')}${obstacle}`)
  }
  return lines
}
