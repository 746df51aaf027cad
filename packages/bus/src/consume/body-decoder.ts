/** Bodies: JSON by the kernel, every other content type by plugins. What cannot be decoded is UNDECODABLE, told without any of the payload. */
import { BuswayError } from '../errors/index.js'
import type { Pipeline } from '../seams.js'
import { JSON_TYPE } from '../wire/index.js'
import type { HeldRange } from './held-range.js'

/** Bytes that are meant as bytes. */
const BYTES_TYPE = 'application/octet-stream'

/** Without decoding plugins: at once. Throws UNDECODABLE. */
export function decodeBody(range: HeldRange, index: number): unknown {
  const plain = range.plainBody(index)
  if (plain !== undefined) return plain
  const envelope = range.envelope()
  const contentType = envelope.contentType(index)
  const bytes = envelope.body(index)
  return known(contentType, bytes, kernelBody(contentType, bytes))
}

/** What a stored body is, wherever it is read. Rejects with UNDECODABLE, or with what a plugin threw. */
export function decodeWith(
  decode: Pipeline['decode'],
  stored: { topic: string; id: string; headers: Readonly<Record<string, string>>; contentType: string; body: Buffer },
): Promise<unknown> {
  const { contentType, body } = stored
  const byKernel = async () => kernelBody(contentType, body)
  return (decode === undefined ? byKernel() : decode(stored, byKernel)).then((decoded) =>
    known(contentType, body, decoded),
  )
}

function kernelBody(contentType: string, bytes: Buffer): unknown {
  if (contentType !== JSON_TYPE) return bytes
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    // The engine's message quotes the text, which must not reach a log; its position may.
    const position = /position \d+/.exec(String(error))?.[0]
    throw new BuswayError('UNDECODABLE', `The body is not JSON${position === undefined ? '' : ` (at ${position})`}`)
  }
}

function known(contentType: string, bytes: Buffer, body: unknown): unknown {
  if (body !== bytes || contentType === BYTES_TYPE) return body
  throw new BuswayError(
    'UNDECODABLE',
    `Nothing here decodes ${contentType.slice(0, 100)}: register the plugin with which it was published, then redrive`,
  )
}
