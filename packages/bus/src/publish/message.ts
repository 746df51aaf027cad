/** A message that is ready to be written. */
import type { GuardArgs, Outgoing } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'
import type { RegisteredPublishGuard } from '../seams.js'
import { encodeJson } from '../validate/bodies.js'
import { JSON_TYPE, type WireMessage } from '../wire/index.js'
import { type Special, specialOf } from './options.js'

/** What follows a message to its end. */
export interface Followers {
  readonly owns: readonly string[] | undefined
  readonly reportTo: Outgoing['reportTo']
}

/** One shape for every message, so that the hot path stays monomorphic; fields that a message does not use are undefined. */
export class PreparedMessage implements WireMessage {
  readonly body: string | Uint8Array
  readonly bodyBytes: number
  readonly type: string | undefined
  readonly contentType: string | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly special: Special | undefined
  /** Milliseconds from when Redis accepts it. */
  readonly expiresAtMs: number | undefined
  readonly followers: Followers | undefined
  /** By the position of the guard. */
  readonly guardArgs: readonly (GuardArgs | undefined)[] | undefined
  /** Where it is in its request: which batch, and where in that. */
  batch = 0
  index = 0

  constructor(
    body: string | Uint8Array,
    bodyBytes: number,
    type?: string,
    contentType?: string,
    headers?: Readonly<Record<string, string>>,
    special?: Special,
    followers?: Followers,
    guardArgs?: readonly (GuardArgs | undefined)[],
  ) {
    this.body = body
    this.bodyBytes = bodyBytes
    this.type = type
    this.contentType = contentType
    this.headers = headers
    this.special = special
    this.expiresAtMs = special?.expiresInMs
    this.followers = followers
    this.guardArgs = guardArgs
  }
}

/** Only a body, as most are. Throws INVALID_BODY, PAYLOAD_TOO_LARGE. */
export function preparePlain(topic: string, body: unknown, maxPayload: number): PreparedMessage {
  if (body instanceof Uint8Array) {
    checkSize(topic, body.byteLength, maxPayload)
    // Callers may go on to change what they published.
    return new PreparedMessage(Buffer.from(body), body.byteLength, undefined, BYTES_TYPE)
  }
  const text = encodeJson(topic, body)
  const bytes = Buffer.byteLength(text)
  checkSize(topic, bytes, maxPayload)
  return new PreparedMessage(text, bytes)
}

/** The content type of a body that is bytes and that no plugin has described. */
export const BYTES_TYPE = 'application/octet-stream'

/** What the plugins have made of it. Throws INVALID_BODY, PAYLOAD_TOO_LARGE. */
export function prepare(
  topic: string,
  outgoing: Outgoing,
  guards: readonly RegisteredPublishGuard[],
  maxPayload: number,
): PreparedMessage {
  const { body, options } = outgoing
  const encoded = body instanceof Uint8Array ? body : encodeJson(topic, body)
  const bytes = typeof encoded === 'string' ? Buffer.byteLength(encoded) : encoded.byteLength
  checkSize(topic, bytes, maxPayload)
  const type = options.type as string | undefined
  return new PreparedMessage(
    encoded,
    bytes,
    type === topic ? undefined : type,
    outgoing.contentType === JSON_TYPE ? undefined : outgoing.contentType,
    headersOf(outgoing.headers),
    specialOf(options),
    followersOf(outgoing),
    guardArgsOf(outgoing, guards),
  )
}

function headersOf(headers: Record<string, string>): Record<string, string> | undefined {
  for (const _ in headers) return headers
  return undefined
}

function followersOf({ owns, reportTo }: Outgoing): Followers | undefined {
  return (owns === undefined || owns.length === 0) && reportTo === undefined ? undefined : { owns, reportTo }
}

function guardArgsOf(
  outgoing: Outgoing,
  guards: readonly RegisteredPublishGuard[],
): (GuardArgs | undefined)[] | undefined {
  let args: (GuardArgs | undefined)[] | undefined
  for (let i = 0; i < guards.length; i++) {
    const given = (guards[i] as RegisteredPublishGuard).args(outgoing)
    if (given === undefined) continue
    args ??= []
    args[i] = given
  }
  return args
}

function checkSize(topic: string, bytes: number, maxPayload: number): void {
  if (bytes <= maxPayload) return
  throw new BuswayError(
    'PAYLOAD_TOO_LARGE',
    `The body for ${topic} has ${bytes.toLocaleString('en')} bytes, maxPayload is ${maxPayload.toLocaleString('en')}. Store it elsewhere and publish a reference, or raise maxPayload.`,
    { details: { bytes, maxPayload } },
  )
}
