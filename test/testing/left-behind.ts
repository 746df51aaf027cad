import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a server's process and folder are gone; the system tells nobody when they are, so this looks again and again. */
export async function untilGone({ pid, dir }: { pid: number; dir: string }, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (isAlive(pid) || existsSync(dir)) {
    if (Date.now() > deadline) {
      const left = [isAlive(pid) && `process ${pid}`, existsSync(dir) && `folder ${dir}`].filter(Boolean).join(' and ')
      throw new Error(`still there after ${withinMs} ms: ${left}`)
    }
    await sleep(10)
  }
}

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
