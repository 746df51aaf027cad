/** Bodies larger than the usual ones, and how many of them a measurement has at most: some hundred megabytes. */
export const LARGE = [
  { name: 'large-1k', what: ' of 1 kB', bodyBytes: 1_024, mostMessages: 300_000, batch: 100 },
  // A batch of 100 would be larger than a megabyte, which Busway refuses.
  { name: 'large-16k', what: ' of 16 kB', bodyBytes: 16_384, mostMessages: 25_000, batch: 50 },
] as const
