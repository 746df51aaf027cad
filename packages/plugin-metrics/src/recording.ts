/** What is recorded when something happens. */
import type { Events, Scope } from '@busway/bus'
import type { Instruments } from './instruments.js'
import type { Labels } from './labels.js'

export function record(scope: Scope, instruments: Instruments, labels: Labels): void {
  scope.observe('published', ({ topic, count, via, startMs, endMs, error }) => {
    const attributes = labels.operation('send', topic, undefined, error)
    instruments.sent.add(count, attributes)
    // Staged, it goes with a settle.
    if (via !== 'settle') instruments.operation.record(seconds(startMs, endMs), attributes)
  })
  scope.observe('fetched', ({ topic, group, count, startMs, endMs }) => {
    const attributes = labels.operation('receive', topic, group)
    instruments.consumed.add(count, attributes)
    instruments.operation.record(seconds(startMs, endMs), attributes)
  })
  scope.observe('settled', settling(instruments, labels))
  scope.observe('recovered', ({ topic, group, crashed, dead }) => {
    instruments.crashes.add(crashed, labels.of(topic, group))
    if (dead > 0) instruments.deadLetters.add(dead, labels.dead(topic, group, 'crashes'))
  })
  scope.observe('redriven', ({ topic, group, count }) => instruments.redriven.add(count, labels.of(topic, group)))
}

/** Reasons of dead letters that never came to their handler. */
const WITHOUT_RUN: ReadonlySet<string> = new Set(['undecodable', 'expired'])

function settling(instruments: Instruments, labels: Labels): (event: Events['settled']) => void {
  const newRequest = requests()
  return ({ delivery, outcome, runMs, sinceMs, settleStartMs, settleEndMs, refused }) => {
    const { group, message } = delivery
    const { topic } = message
    const error = outcome.kind === 'retry' || outcome.kind === 'dead' ? outcome.error : undefined
    const hasRun = outcome.kind !== 'released' && !(outcome.kind === 'dead' && WITHOUT_RUN.has(outcome.reason))
    if (hasRun) instruments.process.record(runMs / 1000, labels.operation('process', topic, group, error))
    if (refused !== undefined) {
      instruments.refused.add(1, labels.of(topic, group))
      return
    }
    if (newRequest(topic, group, settleStartMs))
      instruments.operation.record(seconds(settleStartMs, settleEndMs), labels.operation('settle', topic, group))
    if (outcome.kind === 'done') instruments.endToEnd.record(sinceMs / 1000, labels.of(topic, group))
    if (outcome.kind === 'retry') instruments.retries.add(1, labels.failed(topic, group, outcome.error))
    if (outcome.kind === 'dead') instruments.deadLetters.add(1, labels.dead(topic, group, outcome.reason))
  }
}

/** A request settles many messages, which are told one by one. */
function requests(): (topic: string, group: string, startMs: number) => boolean {
  const last = new Map<string, number>()
  return (topic, group, startMs) => {
    const of = `${topic} ${group}`
    if (last.get(of) === startMs) return false
    last.set(of, startMs)
    return true
  }
}

const seconds = (startMs: number, endMs: number): number => Math.max(0, endMs - startMs) / 1000
