/**
 * `bus.schedules`: making, changing and looking at schedules.
 *
 * A change publishes the new pending time first, and writes the definition that it belongs to second. A process that dies in between leaves a time that
 * no definition knows, which ends without effect (firing.ts); the other way round it would leave a schedule that never fires.
 */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Page, PageOptions, Receipt, Scope } from '@busway/bus'
import { type Definition, type StoredSpec, scheduleOf, timingOf } from './definition.js'
import { cancelPending, publishPending } from './pending.js'
import { checkId, checkSpec, invalid } from './spec.js'
import type { Store } from './store.js'
import { nextAfter } from './timing.js'
import type { Schedule, ScheduleSpec, Schedules } from './types.js'

const PAGE = 100
const LARGEST_PAGE = 1_000

export class BusSchedules implements Schedules {
  readonly #scope: Scope
  readonly #store: Store

  constructor(scope: Scope, store: Store) {
    this.#scope = scope
    this.#store = store
  }

  async upsert(id: string, spec: ScheduleSpec): Promise<Schedule> {
    checkId(id)
    const stored = checkSpec(spec)
    await this.#scope.started()
    const definition = await this.#change(id, (known, nowMs) => {
      if (known !== undefined && isDeepStrictEqual(known.spec, stored)) return known
      return begun(stored, known, nowMs)
    })
    return scheduleOf(id, definition as Definition)
  }

  async get(id: string): Promise<Schedule | null> {
    checkId(id)
    await this.#scope.started()
    const { definition } = await this.#store.read(id)
    return definition === undefined ? null : scheduleOf(id, definition)
  }

  async list(options: PageOptions = {}): Promise<Page<Schedule>> {
    const { limit = PAGE, cursor = '' } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE)
      throw invalid('limit', `it should be a whole number from 1 to ${LARGEST_PAGE}`)
    if (cursor !== '') checkId(cursor)
    await this.#scope.started()
    const found = await this.#store.page(cursor, limit)
    const items = found.map(([id, definition]) => scheduleOf(id, definition))
    const last = found.length === limit ? found.at(-1)?.[0] : undefined
    return last === undefined ? { items } : { items, cursor: last }
  }

  async pause(id: string): Promise<boolean> {
    checkId(id)
    await this.#scope.started()
    const changed = await this.#change(id, (known) => {
      if (known === undefined || known.paused) return known
      const { nextMs: _, ...rest } = known
      return { ...rest, token: newToken(), paused: true }
    })
    return changed !== undefined
  }

  async resume(id: string): Promise<boolean> {
    checkId(id)
    await this.#scope.started()
    const changed = await this.#change(id, (known, nowMs) =>
      known?.paused ? withNext({ ...known, token: newToken(), paused: false }, nowMs) : known,
    )
    return changed !== undefined
  }

  async runNow(id: string): Promise<Receipt | null> {
    checkId(id)
    await this.#scope.started()
    const { definition } = await this.#store.read(id)
    if (definition === undefined) return null
    const { topic, body, options } = definition.spec
    return this.#scope.bus.publish(topic, body, options)
  }

  async remove(id: string): Promise<boolean> {
    checkId(id)
    await this.#scope.started()
    for (;;) {
      const { definition } = await this.#store.read(id)
      if (definition === undefined) return false
      if (!(await this.#store.remove(id, definition.token))) continue
      await cancelPending(this.#scope, definition)
      return true
    }
  }

  /** Of several at once the last to write wins, and sees what those before it wrote. */
  async #change(
    id: string,
    change: (known: Definition | undefined, nowMs: number) => Definition | undefined,
  ): Promise<Definition | undefined> {
    for (;;) {
      const { definition: known, nowMs } = await this.#store.read(id)
      const changed = change(known, nowMs)
      if (changed === undefined || changed === known) return changed
      const { token, nextMs, fired } = changed
      if (nextMs !== undefined) await publishPending(this.#scope, { id, token, dueMs: nextMs, fired })
      if (await this.#store.write(id, known?.token ?? '', changed)) {
        if (known !== undefined) await cancelPending(this.#scope, known)
        return changed
      }
      await cancelPending(this.#scope, changed)
    }
  }
}

const newToken = (): string => randomUUID()

/** Made, or changed by its owner. What counts its times begins anew with what says when they are. */
function begun(spec: StoredSpec, known: Definition | undefined, nowMs: number): Definition {
  const isSameTime = known !== undefined && isDeepStrictEqual(timesOf(known.spec), timesOf(spec))
  return withNext(
    {
      ...(isSameTime ? known : {}),
      token: newToken(),
      spec,
      anchorMs: isSameTime ? known.anchorMs : nowMs,
      paused: known?.paused ?? false,
      fired: isSameTime ? known.fired : 0,
    },
    nowMs,
  )
}

const timesOf = ({ cron, everyMs, timezone, startAtMs, endAtMs, limit }: StoredSpec) => ({
  ...{ cron, everyMs, timezone, startAtMs, endAtMs, limit },
})

function withNext(definition: Definition, nowMs: number): Definition {
  const { nextMs: _, ...rest } = definition
  const { limit } = definition.spec
  const isOver = definition.paused || (limit !== undefined && definition.fired >= limit)
  const nextMs = isOver ? undefined : nextAfter(timingOf(definition), nowMs)
  return nextMs === undefined ? rest : { ...rest, nextMs }
}
