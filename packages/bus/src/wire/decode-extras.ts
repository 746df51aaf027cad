import { Extra } from './format.js'
import { read32, undecodable } from './read.js'

/** The fields of one message that most messages do not have. */
export interface DecodedExtra {
  readonly type?: string
  readonly contentType?: string
  readonly headers: Readonly<Record<string, string>>
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({})
export const noExtra: DecodedExtra = Object.freeze({ headers: noHeaders })

/** One message's extra, bytes `from` to `to`. Throws UNDECODABLE. */
export function decodeExtra(bytes: Buffer, from: number, to: number): DecodedExtra {
  let type: string | undefined
  let contentType: string | undefined
  let headers: Record<string, string> | undefined
  for (let at = from; at < to; ) {
    if (at + 5 > to) throw undecodable('an extra is cut short')
    const tag = bytes[at]
    const start = at + 5
    at = start + read32(bytes, at + 1)
    if (at > to) throw undecodable('an extra is cut short')
    if (tag === Extra.type && type === undefined) type = bytes.toString('utf8', start, at)
    else if (tag === Extra.contentType && contentType === undefined) contentType = bytes.toString('utf8', start, at)
    else if (tag === Extra.header) {
      const nameAt = start + 2
      if (nameAt > at) throw undecodable('a header is cut short')
      const valueAt = nameAt + bytes.readUInt16LE(start)
      if (valueAt > at) throw undecodable('a header is cut short')
      headers ??= {}
      setHeader(headers, bytes.toString('utf8', nameAt, valueAt), bytes.toString('utf8', valueAt, at))
    } else throw undecodable(`it has an extra that this client does not know, or has twice (${tag})`)
  }
  const rest =
    contentType === undefined ? { headers: headers ?? noHeaders } : { contentType, headers: headers ?? noHeaders }
  return type === undefined ? rest : { type, ...rest }
}

function setHeader(headers: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__')
    Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
  else headers[name] = value
}
