/** How long a test waits for something that should happen at once, before it says what did not. */
export const PATIENCE_MS = 30_000

/** Rejects, naming what was awaited, if `promise` is not settled in time. */
export async function deadline<T>(promise: Promise<T>, withinMs = PATIENCE_MS, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms for ${what()}`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
