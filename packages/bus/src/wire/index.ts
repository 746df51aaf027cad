/** docs/wire-format.md as code: batches to bytes and back, ids. */
export { decodeBatch, Envelope, mayExpire } from './decode.js'
export type { DecodedExtra } from './decode-extras.js'
export { encodeBatch, encodeProperties, type WireMessage } from './encode.js'
export { BATCH_BYTES, BATCH_MESSAGES, type BatchProperties, JSON_TYPE, KEY_SEPARATOR, type ReportTo } from './format.js'
export { messageId, randomId } from './ids.js'
export { type Rewriting, rewriteMessage } from './rewrite.js'
