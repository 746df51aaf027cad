/** What a service's process and the launcher say to each other, over the channel that Node opens between parent and child. */

/** From a service to the launcher. */
export type Told =
  | { kind: 'ready'; url?: string; metrics?: string }
  /** How many flights, so far. */
  | { kind: 'published'; count: number }

/** Tells the launcher. Without one (a service run by hand), nothing. */
export function tell(told: Told): void {
  if (process.connected) process.send?.(told)
}

/** Resolves when this process is to end: asked to, or left alone by a launcher that died. */
export function toldToStop(): Promise<void> {
  // Ctrl-C reaches every process of the terminal. The launcher decides what it means, unless there is none.
  if (process.connected) process.on('SIGINT', () => {})
  // The channel alone keeps no process alive whose work is done.
  process.channel?.unref()
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('disconnect', resolve)
    if (!process.connected) process.once('SIGINT', resolve)
  })
}
