/** Composition of middleware: the first link is outermost, each calls `next` once, the core is innermost. */
import { BuswayError } from '../errors/index.js'

/** One plugin's part in a chain. */
export interface Link<Subject, Result> {
  /** Named in errors. */
  readonly from: string
  readonly run: (subject: Subject, next: () => Promise<Result>) => Promise<Result>
  /** Called before what is inside runs. */
  readonly onNext?: ((subject: Subject) => void) | undefined
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
  const around = strict ? watched : once
  return links.reduceRight<Chain<Subject, Result>>(
    (inside, link) => around(link, inside),
    (_, core) => {
      try {
        return promised(core())
      } catch (error) {
        return Promise.reject(error)
      }
    },
  )
}

/** A link around what is inside it. */
function once<Subject, Result>({ from, run, onNext }: Link<Subject, Result>, inside: Chain<Subject, Result>) {
  return (subject: Subject, core: () => Promise<Result>): Promise<Result> => {
    let isInside = false
    const next = (): Promise<Result> => {
      if (isInside) throw twice(from)
      isInside = true
      onNext?.(subject)
      return inside(subject, core)
    }
    return started(run, subject, next)
  }
}

/** As `once`, and waits for what the link abandons. */
function watched<Subject, Result>({ from, run, onNext }: Link<Subject, Result>, inside: Chain<Subject, Result>) {
  return (subject: Subject, core: () => Promise<Result>): Promise<Result> => {
    let inner: Inner<Result> | undefined
    const next = (): Promise<Result> => {
      if (inner !== undefined) throw twice(from)
      onNext?.(subject)
      inner = new Inner(inside(subject, core))
      return inner.result
    }
    const result = started(run, subject, next)
    // Whoever passes on what next() gave cannot end before it.
    if (inner?.result === result) return result
    return result.then(
      (value) => (inner === undefined || inner.ended ? value : abandoned(inner, from)),
      (error: unknown) => {
        if (inner === undefined || inner.ended) throw error
        return abandoned(inner, from)
      },
    )
  }
}

class Inner<Result> {
  readonly result: Promise<Result>
  ended = false

  constructor(result: Promise<Result>) {
    this.result = result
    const end = () => {
      this.ended = true
    }
    result.then(end, end)
  }
}

async function abandoned<Result>(inner: Inner<Result>, from: string): Promise<never> {
  await inner.result.catch(() => undefined)
  throw misuse(from, 'ended without awaiting next(); return or await it')
}

/** What throws at once rejects as well, so that no link needs to expect both. */
function started<Subject, Result>(
  run: Link<Subject, Result>['run'],
  subject: Subject,
  next: () => Promise<Result>,
): Promise<Result> {
  try {
    return promised(run(subject, next))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Middlewares of users may answer what is none. */
const promised = <Result>(result: Promise<Result>): Promise<Result> =>
  result instanceof Promise ? result : Promise.resolve(result)

const twice = (from: string): BuswayError => misuse(from, 'called next() twice; it may run what is inside once')

const misuse = (from: string, what: string): BuswayError =>
  new BuswayError('PLUGIN_MISUSE', `A middleware of ${from} ${what}.`, { details: { plugin: from } })
