/** A producer in a process of its own, for scenarios that go from one process to another. */
import { type Child, forkChild } from './child.js'
import type { Place } from './peer.js'

export type ProducerQuestion =
  | { kind: 'open'; place: Place }
  | { kind: 'publish'; messages: number; inFlight: number; bodyBytes?: number | undefined }
  | { kind: 'publishNowAndThen'; messages: number; everyMs: number }
  | { kind: 'publishAtRate'; messages: number; perSecond: number }
  | { kind: 'close' }

export interface ProducerAnswer {
  /** CPU that the process used to answer, µs. */
  cpuUs: number
}

export type ProducerProcess = Child<ProducerQuestion, ProducerAnswer>

export async function forkProducer(peer: string): Promise<ProducerProcess> {
  return forkChild(new URL('producer-main.js', import.meta.url), { args: [peer], execArgv: process.execArgv })
}
