import type { Logger } from '@busway/bus'

const nothing = (): void => undefined

/** Says nothing, and neither do its children. */
export const silentLogger: Logger = {
  level: 'silent',
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLogger,
}
