/**
 * Where a flow is kept: one hash beside the topic of its coordinator, and the scripts that read and write it (steps.ts). Each is one bounded step, and run again it
 * answers as before: what a step made ready bears the step's name, so that a coordinator that died before its settle finds it once more.
 *
 *   state open|done|failed|cancelled, root, leaves, at, n fields of its draft, up (whose handler added it: `<flow> <node> <run>`)
 *   h headers that plugins of its publisher put on the message that started it: those of its trace, say
 *   d<n> definition · b<n> body · m<n> `<group>|<parent>:<policy>,...` · w<n> children still to wait for
 *   s<n> '' waits, r published, w waits again, d done, f failed, q dead and waited for, x skipped
 *   r<n> ends, a line each: `<group> <verdict> <json>` with tabs · e<n> why it failed without an end of its own
 *   l<n> the run that added what is gone · c<n> the step that made it ready, or failed it · o<n>, f<n> how many parents have been told of its success, its failure · q<n> its run
 */
import type { Scope } from '@busway/bus'
import { CANCEL, ENDED, RESUMED, START } from './steps.js'

export const TOPIC = '$flow'

/** What a step asks for, to be published with the settle of what caused it. */
export type Action =
  | {
      readonly kind: 'publish'
      readonly node: number
      readonly run: number
      readonly definition: string
      readonly body: string
      /** As JSON; empty if there are none. */
      readonly headers: string
    }
  | { readonly kind: 'failed'; readonly node: number }
  | { readonly kind: 'start'; readonly flow: string }
  | { readonly kind: 'up'; readonly to: string; readonly isDone: boolean }
  | { readonly kind: 'more'; readonly from: number }

/** An end of a node: reported by its message, or found by the coordinator itself. */
export interface End {
  readonly flow: string
  readonly node: number
  /** 0: of no run. */
  readonly run: number
  readonly group: string
  /** Whether no group has the message any more. */
  readonly last: boolean
  readonly verdict: 'done' | 'dead' | 'gone'
  /** `ChildResult`, or the error of a node that failed without an end of its own. */
  readonly json: string
  readonly from: number
  /** Of the children that its handler added. */
  readonly draft: string
}

export interface Store {
  /** Adds fields to a draft, which is gone after an hour. */
  draft(token: string, fields: readonly (string | Uint8Array)[]): Promise<void>
  /** `headers`: what all its messages are to carry, as JSON. The first to say so counts. */
  start(flow: string, from: number, count: number, headers: string): Promise<Action[]>
  ended(end: End): Promise<Action[]>
  resumed(flow: string, node: number, run: number): Promise<Action[]>
  /** Whether it was open. */
  cancel(flow: string): Promise<boolean>
  read(flow: string, fields: readonly string[]): Promise<(string | undefined)[]>
}

export const keyNames = (): string[] => ['flow', 'draft']

/** For how long what is there. */
export interface Lifetimes {
  /** A flow that has ended. */
  readonly keepMs: number
  /** An open one of which nothing is heard. */
  readonly abandonMs: number
}

/** Declares the scripts. */
export function declareStore(scope: Scope, { keepMs, abandonMs }: Lifetimes): Store {
  const declare = (name: string, lua: string, readOnly = false) =>
    scope.script<(string | number | Uint8Array)[]>({ name, keys: keyNames, lua, readOnly })
  const draft = declare(
    'draft',
    `for i = 2, #args, 2 do redis.call('HSET', keys[2] .. ':' .. args[1], args[i], args[i + 1]) end
     redis.call('EXPIRE', keys[2] .. ':' .. args[1], 3600)`,
  )
  const start = declare('start', START)
  const ended = declare('ended', ENDED)
  const resumed = declare('resumed', RESUMED)
  const cancel = declare('cancel', CANCEL)
  const read = declare(
    'read',
    `local fields = {}
     for i = 2, #args do fields[i - 1] = args[i] end
     local values = redis.call('HMGET', keys[1] .. ':' .. args[1], unpack(fields))
     for i = 1, #values do values[i] = values[i] and '=' .. values[i] or '' end
     return values`,
    true, // handlers that wait for it are what makes room in a full Redis
  )
  return {
    async draft(token, fields) {
      await draft(TOPIC, token, ...fields)
    },
    start: async (flow, from, count, headers) => actions(await start(TOPIC, flow, from, count, headers, abandonMs)),
    ended: async (end) =>
      actions(
        await ended(
          TOPIC,
          end.flow,
          end.node,
          end.run,
          end.group,
          end.last ? 1 : 0,
          end.verdict,
          end.json,
          end.from,
          end.draft,
          keepMs,
          abandonMs,
        ),
      ),
    resumed: async (flow, node, run) => actions(await resumed(TOPIC, flow, node, run, abandonMs)),
    cancel: async (flow) => Number(await cancel(TOPIC, flow, keepMs)) === 1,
    async read(flow, fields) {
      const values = ((await read(TOPIC, flow, ...fields)) as unknown[]).map(String)
      return values.map((value) => (value === '' ? undefined : value.slice(1)))
    },
  }
}

function actions(reply: unknown): Action[] {
  const flat = reply as unknown[]
  const found: Action[] = []
  for (let at = 0; at < flat.length; ) {
    const kind = String(flat[at])
    if (kind === 'publish') {
      found.push({
        kind,
        node: Number(flat[at + 1]),
        run: Number(flat[at + 2]),
        definition: String(flat[at + 3]),
        body: String(flat[at + 4]),
        headers: String(flat[at + 5]),
      })
      at += 6
    } else if (kind === 'up') {
      found.push({ kind, to: String(flat[at + 1]), isDone: Number(flat[at + 2]) === 1 })
      at += 3
    } else {
      if (kind === 'failed') found.push({ kind, node: Number(flat[at + 1]) })
      else if (kind === 'start') found.push({ kind, flow: String(flat[at + 1]) })
      else found.push({ kind: 'more', from: Number(flat[at + 1]) })
      at += 2
    }
  }
  return found
}
