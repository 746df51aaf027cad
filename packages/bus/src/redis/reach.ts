import { BuswayError } from '../errors/busway-error.js'
import type { TopicRunner } from './bus-runner.js'

/**
 * Waits until Redis can be used: not longer than `timeoutMs`, not once the server has answered and cannot be used as it is, and not once `giveUp` is aborted.
 * `undefined` if it can be used, else what to tell whoever waits.
 */
export async function reach(
  runner: TopicRunner,
  timeoutMs: number,
  giveUp = new AbortController(),
): Promise<BuswayError | undefined> {
  const timer = setTimeout(() => giveUp.abort(), timeoutMs)
  const leave = runner.on('down', () => {
    if (runner.problem !== undefined) giveUp.abort()
  })
  try {
    await runner.usable(giveUp.signal)
    return undefined
  } catch (error) {
    return error instanceof BuswayError ? error : (runner.problem ?? runner.unavailable())
  } finally {
    clearTimeout(timer)
    leave()
  }
}
