/** The bus' logger: the user's, or a pino of its own. Nothing per message above debug, and no payload in any line. */
import { pino } from 'pino'
import type { Logger, LoggerOption } from '../api/index.js'
import { invalidOption } from '../validate/options.js'

const methods = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'child'] as const

/** Throws INVALID_OPTIONS for what is no logger. */
export function createLogger(option: LoggerOption | undefined, service: string): Logger {
  return base(option).child({ service })
}

function base(option: LoggerOption | undefined): Logger {
  if (option === undefined) return pino()
  if (option === false) return pino({ level: 'silent' })
  if (typeof option !== 'object' || option === null)
    throw invalidOption('logger', option, "a logger (pino's levels and child), pino's options, or false")
  if ('child' in option || 'info' in option) {
    const missing = methods.filter((name) => typeof (option as unknown as Record<string, unknown>)[name] !== 'function')
    if (missing.length > 0)
      throw invalidOption(
        'logger',
        option,
        `a logger: it has no ${missing.join(', ')}. It needs pino's levels and child`,
      )
    return option as Logger
  }
  return pino(option)
}
