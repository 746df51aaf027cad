import { setTimeout as sleep } from 'node:timers/promises'

const SETTLE_TIMEOUT_MS = 30_000

/** Asks until it is so; a server that does not answer is asked again. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + SETTLE_TIMEOUT_MS
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`Waited ${SETTLE_TIMEOUT_MS} ms until ${what}.`)
    await sleep(25)
  }
}
