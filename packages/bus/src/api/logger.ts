import type { LoggerOptions } from 'pino'

/** What Busway needs of a logger: pino's levels and `child`. A pino logger is one, Fastify's `app.log` too. */
export interface Logger {
  level: string
  trace(fields: unknown, message?: string): void
  debug(fields: unknown, message?: string): void
  info(fields: unknown, message?: string): void
  warn(fields: unknown, message?: string): void
  error(fields: unknown, message?: string): void
  fatal(fields: unknown, message?: string): void
  child(bindings: Record<string, unknown>): Logger
}

/** A logger, pino's options to make one, or `false` for silence. */
export type LoggerOption = Logger | LoggerOptions | false
