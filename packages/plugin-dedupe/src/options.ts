/** Options as users write them, checked. */
import { BuswayError, durationMs } from '@busway/bus'
import type { DedupeDefaults, DedupeMode } from './types.js'

const MODES: readonly string[] = ['window', 'until-settled', 'debounce', 'keep-latest'] satisfies DedupeMode[]

export interface Checked {
  readonly key: string | undefined
  readonly mode: DedupeMode
  readonly windowMs: number
}

/** Throws INVALID_OPTIONS. */
export function checkDefaults({ mode = 'window', window = '1m', ...rest }: DedupeDefaults): Omit<Checked, 'key'> {
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw new BuswayError('INVALID_OPTIONS', `dedupe: there is no option ${unknown}. It takes mode and window.`)
  if (!MODES.includes(mode))
    throw new BuswayError('INVALID_OPTIONS', `dedupe: mode should be one of ${MODES.join(', ')}.`)
  return { mode, windowMs: durationMs('window', window, 1) }
}

/** What `dedupe` of a publish should be, if it isn't. */
export function publishProblem(value: unknown): string | undefined {
  if (typeof value === 'boolean') return undefined
  if (typeof value !== 'object' || value === null) return 'true, or an object { key?, mode?, window? }'
  const { key, mode, window, ...rest } = value as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return `an object { key?, mode?, window? }, without ${unknown}`
  if (key !== undefined && (typeof key !== 'string' || key.length === 0 || key.length > 500))
    return 'an object whose key is a string of 1 to 500 characters'
  if (mode !== undefined && !MODES.includes(String(mode))) return `an object whose mode is one of ${MODES.join(', ')}`
  return window === undefined || isDuration(window) ? undefined : "an object whose window is a duration such as '1m'"
}

/** What `inbox` of a consume should be, if it isn't. */
export function inboxProblem(value: unknown): string | undefined {
  const expected = "an object { window }, its window a duration such as '1h'"
  if (typeof value !== 'object' || value === null) return expected
  const { window, ...rest } = value as Record<string, unknown>
  return Object.keys(rest).length === 0 && isDuration(window) ? undefined : expected
}

/** Of a publish that has it; `undefined` if it asks for nothing. Checked before. */
export function dedupeOf(option: unknown, defaults: Omit<Checked, 'key'>): Checked | undefined {
  if (option === undefined || option === false) return undefined
  const {
    key,
    mode = defaults.mode,
    window,
  } = option === true ? {} : (option as { key?: string; mode?: DedupeMode; window?: string })
  return { key, mode, windowMs: window === undefined ? defaults.windowMs : durationMs('window', window, 1) }
}

function isDuration(value: unknown): boolean {
  try {
    return durationMs('window', value, 1) > 0
  } catch {
    return false
  }
}
