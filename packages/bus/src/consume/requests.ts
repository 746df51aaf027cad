/** Numbers a session's advances, sends them, and keeps those under way in the order of their numbers. */
import { type AdvanceReply, type AdvanceRequest, advance, advancePublishing, type GroupRef } from '@busway/lua'
import type { RedisFailure } from '../seams.js'
import type { Answer, InFlight } from './in-flight.js'
import type { SessionParts } from './session-parts.js'

/** Bytes that one fetch may give; a larger message comes alone. Redis does nothing else while it hands them over, which takes it some milliseconds. */
const FETCH_BYTES = 2 * 1024 * 1024

type Content = Pick<InFlight, 'shipment' | 'want' | 'renew'> & { readonly group: GroupRef; readonly epoch: number }

export class Requests {
  readonly #parts: SessionParts
  readonly #onAnswer: () => void
  #underWay: InFlight[] = []
  #nextNumber = 1
  #confirmed = 0
  #asked = 0

  constructor(parts: SessionParts, onAnswer: () => void) {
    this.#parts = parts
    this.#onAnswer = onAnswer
  }

  get underWay(): readonly InFlight[] {
    return this.#underWay
  }

  /** The last request that Redis confirmed. */
  get confirmed(): number {
    return this.#confirmed
  }

  /** Messages that those under way ask for. */
  get asked(): number {
    return this.#asked
  }

  send({ shipment, want, renew, group, epoch }: Content): void {
    const { runner, topic, id, guards } = this.#parts
    const request: AdvanceRequest = {
      group,
      session: id,
      epoch,
      number: this.#nextNumber,
      want,
      wantBytes: FETCH_BYTES,
      acks: shipment.acks,
      releases: shipment.releases,
      settles: shipment.settles,
      renew,
      ...(guards.guardKeys === undefined ? {} : { guardKeys: guards.guardKeys }),
      ...(want > 0 && guards.fetchGuardCalls !== undefined ? { fetchGuardCalls: guards.fetchGuardCalls } : {}),
    }
    const sentMs = performance.now()
    const entry: InFlight = { number: this.#nextNumber++, shipment, want, renew, sentMs, answer: undefined }
    this.#asked += want
    this.#underWay.push(entry)
    const answered = (answer: Answer): void => {
      entry.answer = answer
      this.#onAnswer()
    }
    const script = shipment.publishing ? advancePublishing : advance
    // What cannot be encoded throws: then nothing was sent.
    const sent = new Promise<AdvanceReply>((resolve) => resolve(runner.run(script, topic, request)))
    sent.then(
      (reply) => answered({ ok: reply }),
      (failure: RedisFailure) => answered({ failure }),
    )
  }

  /** The first under way was answered with `ok`. */
  confirmFirst(): void {
    const first = this.#underWay.shift()
    if (first === undefined) return
    this.#confirmed = first.number
    this.#asked -= first.want
  }

  /** Gives out all that are under way. */
  takeAll(): InFlight[] {
    const all = this.#underWay
    this.#underWay = []
    return all
  }

  /** None is under way any more, and what they asked for does not come. */
  stop(): InFlight[] {
    this.#asked = 0
    return this.takeAll()
  }

  /** `number` is the last that Redis applied. */
  continueAfter(number: number): void {
    this.#confirmed = number
    this.#nextNumber = number + 1
  }
}
