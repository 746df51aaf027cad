/** A metric over the rounds of a run. */
export interface Summary {
  median: number
  min: number
  max: number
}

/** The middle value, or the mean of the two in the middle. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] as number
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** The smallest value that at least `percent` per cent of the values do not exceed (nearest rank). NaN of nothing. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  const sorted = Float64Array.from(values).sort()
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/**
 * How many times `ours` is `theirs`: the medians' ratio, and the least and greatest ratio within one round, where both
 * sides met the same conditions. Rounds that one side lacks are left out of the spread.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): Summary {
  const rounds = Math.min(ours.length, theirs.length)
  const paired = Array.from({ length: rounds }, (_, round) => (ours[round] as number) / (theirs[round] as number))
  return { median: median(ours) / median(theirs), min: Math.min(...paired), max: Math.max(...paired) }
}
