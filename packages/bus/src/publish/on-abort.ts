/** Listening for the end of a signal that many wait on: one listener of its own for all, where each adding one would look like a leak to Node. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `aborted` once, when the signal is aborted; at once if it is. Gives back how to stop listening. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  if (signal.aborted) {
    aborted()
    return () => undefined
  }
  const listeners = waiting.get(signal) ?? listen(signal)
  listeners.add(aborted)
  return () => {
    if (listeners.delete(aborted) && listeners.size === 0) forget(signal)
  }
}

function listen(signal: AbortSignal): Set<() => void> {
  const listeners = new Set<() => void>()
  waiting.set(signal, listeners)
  signal.addEventListener('abort', tellAll)
  return listeners
}

function forget(signal: AbortSignal): void {
  waiting.delete(signal)
  signal.removeEventListener('abort', tellAll)
}

function tellAll(this: AbortSignal): void {
  const listeners = waiting.get(this)
  forget(this)
  for (const aborted of listeners ?? []) aborted()
}
