/** The options of a publish: checked before anything is written, and what of them the message carries. */
import type { Durability, PublishOptionsCore } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import type { Pipeline } from '../seams.js'
import { durationMs } from '../validate/durations.js'
import { shown } from '../validate/names.js'
import { invalidOption, unknownOption } from '../validate/options.js'
import { checkDurability } from './durability.js'

/** Options of which the kernel knows, in the order that errors list them. */
const kernelNames = [
  'id',
  'type',
  'key',
  'headers',
  'priority',
  'position',
  'delay',
  'deliverAt',
  'expiresIn',
  'keepResult',
  'durability',
  'signal',
] as const

/** What a message asks for beyond its body and headers. Most of it makes the message a batch of its own. */
export interface Special {
  readonly id: string | undefined
  readonly key: string | undefined
  readonly delayMs: number | undefined
  readonly dueAtMs: number | undefined
  readonly front: boolean
  readonly priority: number
  readonly expiresInMs: number | undefined
  readonly keepResultMs: number | undefined
}

/** Throws INVALID_OPTIONS. */
export function checkPublishOptions(
  where: string,
  options: object,
  pipeline: Pipeline,
): asserts options is PublishOptionsCore {
  for (const name of Object.keys(options)) {
    const value = (options as Record<string, unknown>)[name]
    if (value === undefined) continue
    if ((kernelNames as readonly string[]).includes(name))
      checkKernelOption(name as (typeof kernelNames)[number], value)
    else if (pipeline.optionNames('publish').includes(name)) pipeline.checkOption('publish', name, value)
    else throw unknownOption(where, name, [...kernelNames, ...pipeline.optionNames('publish')])
  }
  const { delay, deliverAt } = options as PublishOptionsCore
  if (delay !== undefined && deliverAt !== undefined) {
    throw new BuswayError('INVALID_OPTIONS', `${where}: delay and deliverAt both say when. Give one of them.`)
  }
}

function checkKernelOption(name: (typeof kernelNames)[number], value: unknown): void {
  if (name === 'id' || name === 'type') checkText(name, value, 200)
  else if (name === 'key') checkText(name, value, 1_000)
  else if (name === 'headers') checkHeaders(value)
  else if (name === 'delay') durationMs(name, value)
  else if (name === 'expiresIn' || name === 'keepResult') durationMs(name, value, 1)
  else if (name === 'priority')
    check(name, value, Number.isSafeInteger(value), 'an integer; higher goes first, 0 is the default')
  else if (name === 'position') check(name, value, value === 'back' || value === 'front', "'back' or 'front'")
  else if (name === 'durability') checkDurability(value as Durability, 1)
  else if (name === 'deliverAt') check(name, value, value instanceof Date && value.getTime() >= 0, 'a valid Date')
  else check(name, value, value instanceof AbortSignal, 'an AbortSignal')
}

function check(option: string, value: unknown, fits: boolean, expected: string): void {
  if (!fits) throw invalidOption(option, value, expected)
}

function checkText(option: string, value: unknown, most: number): void {
  if (typeof value !== 'string' || value.length === 0 || value.length > most)
    throw invalidOption(option, value, `a string of 1 to ${most} characters`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is refused
  if (/[\u0000-\u001f\u007f]/.test(value)) throw invalidOption(option, value, 'free of control characters')
  // It would come to be another text in UTF-8, and another message's id or key.
  if (/\p{Surrogate}/u.test(value)) throw invalidOption(option, value, 'free of halves of surrogate pairs')
}

function checkHeaders(value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidOption('headers', value, 'an object of strings')
  for (const [name, text] of Object.entries(value)) {
    if (name.length === 0 || name.length > 1_000)
      throw new BuswayError('INVALID_OPTIONS', 'headers: a name has 1 to 1,000 characters.')
    if (typeof text !== 'string') throw invalidOption(`headers[${shown(name)}]`, text, 'a string')
  }
}

/** What the options ask for; `undefined` if nothing. They have been checked. */
export function specialOf(options: Readonly<Record<string, unknown>>): Special | undefined {
  const { id, key, delay, deliverAt, position, priority = 0, expiresIn, keepResult } = options as PublishOptionsCore
  const asksForNothing =
    id === undefined &&
    key === undefined &&
    delay === undefined &&
    deliverAt === undefined &&
    position !== 'front' &&
    priority === 0 &&
    expiresIn === undefined &&
    keepResult === undefined
  if (asksForNothing) return undefined
  return {
    id,
    key,
    delayMs: delay === undefined ? undefined : durationMs('delay', delay),
    dueAtMs: deliverAt?.getTime(),
    front: position === 'front',
    priority,
    expiresInMs: expiresIn === undefined ? undefined : durationMs('expiresIn', expiresIn, 1),
    keepResultMs: keepResult === undefined ? undefined : durationMs('keepResult', keepResult, 1),
  }
}
