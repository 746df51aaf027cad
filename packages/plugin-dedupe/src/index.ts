/**
 * Deduplication: `dedupe` on publish, `inbox` on consume.
 *
 * Read types.ts first, then guards.ts.
 */
import { createHash } from 'node:crypto'
import { type Delivery, durationMs, type FetchSubject, type Outcome, type Outgoing, type Plugin } from '@busway/bus'
import { knownGuard, PREFIX, publishGuard, rememberGuard } from './guards.js'
import { type Checked, checkDefaults, dedupeOf, inboxProblem, publishProblem } from './options.js'
import type { DedupeDefaults, InboxOptions } from './types.js'

export type * from './types.js'

/**
 * The plugin.
 *
 * @example
 * const bus = createBus({ service: 'shop', plugins: [dedupe()] })
 * await bus.publish('orders.paid', order, { dedupe: { key: order.id, window: '1h' } })
 */
export function dedupe(given: DedupeDefaults = {}): Plugin<'dedupe'> {
  const defaults = checkDefaults(given)
  return {
    name: 'dedupe',
    api: 1,
    setup(scope) {
      scope.option('publish', 'dedupe', publishProblem)
      scope.option('consume', 'inbox', inboxProblem)

      // Before bodies become bytes, so that the same body has the same key whatever they are encoded by.
      const bodyKeys = new WeakMap<Outgoing, string>()
      scope.publish('enrich', (batch, next) => {
        for (const message of batch.messages) {
          const checked = dedupeOf(message.options.dedupe, defaults)
          if (checked === undefined) continue
          const given = givenKey(checked, message)
          const key = given ?? bodyKey(message)
          if (given === undefined) bodyKeys.set(message, key)
          message.partitionBy = [...(message.partitionBy ?? []), checked.key ?? idOf(message) ?? key]
          if (checked.mode === 'until-settled' || checked.mode === 'keep-latest')
            message.owns = [...(message.owns ?? []), PREFIX + key]
        }
        return next()
      })
      scope.guard({
        ...publishGuard,
        args(message: Outgoing) {
          const checked = dedupeOf(message.options.dedupe, defaults)
          if (checked === undefined) return undefined
          const key = givenKey(checked, message) ?? bodyKeys.get(message)
          return key === undefined ? undefined : [key, checked.mode, checked.windowMs]
        },
      })

      const inboxOf = (options: Readonly<Record<string, unknown>>): [windowMs: number] | undefined => {
        const inbox = options.inbox as InboxOptions | undefined
        return inbox === undefined ? undefined : [durationMs('window', inbox.window, 1)]
      }
      scope.guard({ ...knownGuard, args: ({ options }: FetchSubject) => inboxOf(options) })
      scope.guard({
        ...rememberGuard,
        args: ({ options }: Delivery, outcome: Outcome) => (outcome.kind === 'done' ? inboxOf(options) : undefined),
      })
    },
  }
}

const idOf = ({ options: { id } }: Outgoing): string | undefined => (typeof id === 'string' ? id : undefined)

function givenKey({ key }: Checked, message: Outgoing): string | undefined {
  if (key !== undefined) return key
  const id = idOf(message)
  return id === undefined ? undefined : `id ${id}`
}

function bodyKey({ body }: Outgoing): string {
  const hash = createHash('sha1')
  hash.update(body instanceof Uint8Array ? body : (JSON.stringify(body) ?? ''))
  return `body ${hash.digest('base64url')}`
}

export default dedupe

/** JSON Schema of the options, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    mode: {
      enum: ['window', 'until-settled', 'debounce', 'keep-latest'],
      description: "What becomes of a message whose key is known already. Default: 'window'.",
    },
    window: { type: ['string', 'number'], description: "How long that lasts. Default: '1m'." },
  },
}
