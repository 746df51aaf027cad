/** What occurs again: once for each time beyond the first. */
export function repeatedIn<T>(values: Iterable<T>): T[] {
  const seen = new Set<T>()
  const repeated: T[] = []
  for (const value of values) {
    if (seen.has(value)) repeated.push(value)
    else seen.add(value)
  }
  return repeated
}
