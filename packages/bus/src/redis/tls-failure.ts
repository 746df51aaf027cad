/** A TLS handshake that failed: whose certificate it was about, and what to do. Trying again would not help. */
import { BuswayError } from '../errors/busway-error.js'

/** Node's codes for a certificate that it does not accept. */
const untrusted = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What answers is no TLS. */
const plain = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'])

/** `undefined` if it is about something else. */
export function tlsFailure(error: Error, address: string): BuswayError | undefined {
  const code = codeOf(error) ?? codeOf(error.cause)
  if (code === undefined) return undefined
  const refused = (what: string): BuswayError =>
    new BuswayError('REDIS_REFUSED', what, { cause: error, details: { tls: code } })
  if (untrusted.has(code)) {
    const advice =
      code === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? 'Connect by a name that is in the certificate, or name it in redis: { tls: { servername } }'
        : 'Give the CA that signed it, redis: { tls: { ca } } or NODE_EXTRA_CA_CERTS, or renew it'
    return refused(`The certificate of Redis at ${address} is not accepted (${code}); nothing was sent. ${advice}.`)
  }
  if (plain.has(code))
    return refused(
      `What answers at ${address} does not speak TLS. Use its tls-port, or redis:// in the place of rediss://.`,
    )
  if (/^ERR_SSL_.*ALERT/.test(code))
    return refused(
      `Redis at ${address} refused the TLS handshake (${code}). If it asks for a client certificate (tls-auth-clients), give one that its CA has signed: redis: { tls: { cert, key } }.`,
    )
  return undefined
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}
