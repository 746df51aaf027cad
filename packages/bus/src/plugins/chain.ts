/** Composition of middleware: the first link is outermost, each calls `next` once, the core is innermost. */
import { BuswayError } from '../errors/index.js'

/** One plugin's part in a chain. */
export interface Link<Subject, Result> {
  /** Named in errors. */
  readonly from: string
  readonly run: (subject: Subject, next: () => Promise<Result>) => Promise<Result>
}

/** A composed chain around its core. */
export type Chain<Subject, Result> = (subject: Subject, core: () => Promise<Result>) => Promise<Result>

/**
 * `undefined` for no links, so that an unused chain costs nothing. A second `next()` throws. With `strict`, a link that ends before what its `next()`
 * started does too, after having waited for it: what it abandoned would otherwise go on unseen.
 */
export function compose<Subject, Result>(
  links: readonly Link<Subject, Result>[],
  strict: boolean,
): Chain<Subject, Result> | undefined {
  if (links.length === 0) return undefined
  return (subject, core) => {
    const enter = (position: number): Promise<Result> => {
      const link = links[position]
      if (link === undefined) return started(core)
      let inner: Inner<Result> | undefined
      const next = (): Promise<Result> => {
        if (inner !== undefined) throw misuse(link.from, 'called next() twice; it may run what is inside once')
        inner = { result: enter(position + 1), ended: false }
        if (strict) watch(inner)
        return inner.result
      }
      const result = started(() => link.run(subject, next))
      return strict ? awaited(result, () => inner, link.from) : result
    }
    return enter(0)
  }
}

interface Inner<Result> {
  readonly result: Promise<Result>
  ended: boolean
}

function watch<Result>(inner: Inner<Result>): void {
  const end = () => {
    inner.ended = true
  }
  inner.result.then(end, end)
}

async function awaited<Result>(
  result: Promise<Result>,
  inner: () => Inner<Result> | undefined,
  from: string,
): Promise<Result> {
  const settled = await result.then(
    (value) => () => value,
    (error: unknown) => () => {
      throw error
    },
  )
  const abandoned = inner()
  if (abandoned !== undefined && !abandoned.ended) {
    await abandoned.result.catch(() => undefined)
    throw misuse(from, 'ended without awaiting next(); return or await it')
  }
  return settled()
}

/** What throws at once rejects as well, so that no link needs to expect both. */
function started<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return Promise.resolve(run())
  } catch (error) {
    return Promise.reject(error)
  }
}

const misuse = (from: string, what: string): BuswayError =>
  new BuswayError('PLUGIN_MISUSE', `A middleware of ${from} ${what}.`, { details: { plugin: from } })
