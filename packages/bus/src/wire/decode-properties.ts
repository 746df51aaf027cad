import { BuswayError } from '../errors/busway-error.js'
import { FIRST_OPTIONAL_PROPERTY, KEY_SEPARATOR, Property, type ReportTo } from './format.js'
import { undecodable } from './read.js'

/** What is said once for all messages of a batch. */
export interface DecodedProperties {
  source: string
  key: string | undefined
  priority: number
  owns: readonly string[]
  reportTo: ReportTo | undefined
  id: string | undefined
  keepResultMs: number | undefined
  /** Of each message, if they do not have the same. */
  keys: readonly string[] | undefined
}

/** The properties region, bytes `from` to `to`. Throws UNDECODABLE. */
export function decodeProperties(bytes: Buffer, from: number, to: number): DecodedProperties {
  let source: string | undefined
  let key: string | undefined
  let priority = 0
  let owns: string[] | undefined
  let reportTo: ReportTo | undefined
  let id: string | undefined
  let keepResultMs: number | undefined
  let keys: string[] | undefined
  let before = 0
  for (let at = from; at < to; ) {
    if (at + 3 > to) throw undecodable('a property is cut short')
    const tag = bytes[at] as number
    const start = at + 3
    at = start + bytes.readUInt16LE(at + 1)
    if (at > to) throw undecodable('a property is cut short')
    if (tag < before || (tag === before && tag !== Property.owns && tag < FIRST_OPTIONAL_PROPERTY))
      throw undecodable('its properties are out of order')
    before = tag
    if (tag >= FIRST_OPTIONAL_PROPERTY) continue
    const text = bytes.toString('utf8', start, at)
    if (tag === Property.source) source = text
    else if (tag === Property.key) key = text
    else if (tag === Property.priority) priority = decodePriority(text)
    else if (tag === Property.owns) owns = pushed(owns, text)
    else if (tag === Property.reportTo) reportTo = decodeReportTo(text)
    else if (tag === Property.id) id = text
    else if (tag === Property.keepResult) keepResultMs = decodeMs(text)
    else if (tag === Property.keys) keys = text.split(KEY_SEPARATOR)
    else throw undecodable(`it has a property that this client does not know (${tag})`)
  }
  if (source === undefined) throw undecodable('it does not say who published it')
  return { source, key, priority, owns: owns ?? none, reportTo, id, keepResultMs, keys }
}

/** Not a copy for each: there may be thousands. */
function pushed(list: string[] | undefined, item: string): string[] {
  if (list === undefined) return [item]
  list.push(item)
  return list
}

const none: readonly string[] = Object.freeze([])

function decodePriority(text: string): number {
  const priority = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(priority)) throw undecodable('its priority is no integer')
  return priority
}

function decodeMs(text: string): number {
  const ms = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(ms)) throw undecodable('keepResult is no number of milliseconds')
  return ms
}

function decodeReportTo(text: string): ReportTo {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new BuswayError('UNDECODABLE', 'The envelope cannot be decoded: reportTo is not JSON', { cause })
  }
  const { topic, key, requester, request, untilMs } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Record<string, unknown>
  if (typeof requester === 'string' && typeof request === 'string' && typeof untilMs === 'number')
    return { requester, request, untilMs }
  if (typeof topic !== 'string' || (key !== undefined && typeof key !== 'string'))
    throw undecodable('reportTo names neither a topic nor a requester')
  return key === undefined ? { topic } : { topic, key }
}
