/** The trace context across the boundary, where OpenTelemetry's API is installed; without it, nothing. */

interface Api {
  readonly context: {
    active(): unknown
    with<R>(context: unknown, run: () => R): R
  }
  readonly propagation: {
    inject(context: unknown, carrier: object): void
    extract(context: unknown, carrier: object): unknown
  }
}

const NAME = '@opentelemetry/api'
let loading: Promise<Api | undefined> | undefined

/** When first used: while an import is under way, a program that calls require() for the same module fails on Node 20. */
function api(): Promise<Api | undefined> {
  loading ??= import(NAME).catch(() => undefined)
  return loading as Promise<Api | undefined>
}

/** Of the code that calls. */
export async function carrierOf(): Promise<Record<string, string>> {
  const carrier: Record<string, string> = {}
  const known = await api()
  known?.propagation.inject(known.context.active(), carrier)
  return carrier
}

export async function within<R>(carrier: Readonly<Record<string, string>>, run: () => R): Promise<Awaited<R>> {
  const known = await api()
  if (known === undefined) return await run()
  return await known.context.with(known.propagation.extract(known.context.active(), carrier), run)
}
