import type { BuswayError } from '@busway/bus'

/** The BuswayError with which `attempt` throws or rejects, from the built package or from its source. */
export async function refusal(attempt: () => unknown): Promise<BuswayError> {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof Error && error.name === 'BuswayError') return error as BuswayError
    throw error
  }
  throw new Error('it was not refused')
}
