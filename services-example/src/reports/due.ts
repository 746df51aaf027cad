/** How many reports a run has. */
export const REPORTS = 3

const SHORTEST_MS = 250

/** How often one is due, so that all are while flights depart. */
export const reportEveryMs = (feedMs: number): number => Math.max(SHORTEST_MS, Math.floor(feedMs / (REPORTS + 1)))
