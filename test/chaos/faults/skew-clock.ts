/** Moves what this process takes for the time of day. `performance` stays as it is, so histories do too. */
export function skewClock(byMs: number): void {
  const Real = Date
  const now = () => Real.now() + byMs
  globalThis.Date = new Proxy(Real, {
    construct: (target, given) => Reflect.construct(target, given.length === 0 ? [now()] : given),
    get: (target, property) => (property === 'now' ? now : Reflect.get(target, property)),
  })
}

export const HOUR_MS = 3_600_000
