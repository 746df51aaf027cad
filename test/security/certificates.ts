/** A certificate authority of the test's own, and certificates that it signs. */
import { subtle, type webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
// Before what needs it.
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const HOUR_MS = 3_600_000

export interface Issued {
  readonly cert: string
  readonly key: string
}

export interface Authority {
  /** Its certificate, to be trusted. */
  readonly ca: string
  /** Signs a certificate for these names. `validMs`: from an hour ago until so long from now. */
  issue(names: readonly string[], validMs?: number): Promise<Issued>
}

export async function createAuthority(name: string): Promise<Authority> {
  const keys = await makeKeys()
  const own = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    ...period(HOUR_MS),
    signingAlgorithm: KEY,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return { ca: own.toString('pem'), issue: (names, validMs) => issue(own, keys.privateKey, names, validMs) }
}

async function issue(
  by: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  names: readonly string[],
  validMs = HOUR_MS,
) {
  const keys = await makeKeys()
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${names[0]}`,
    issuer: by.subject,
    publicKey: keys.publicKey,
    signingKey,
    ...period(validMs),
    signingAlgorithm: KEY,
    extensions: [
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }) as const),
      ),
    ],
  })
  const key = PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { cert: certificate.toString('pem'), key }
}

const makeKeys = () => subtle.generateKey(KEY, true, ['sign', 'verify'])
const period = (validMs: number) => ({
  notBefore: new Date(Date.now() - HOUR_MS),
  notAfter: new Date(Date.now() + validMs),
})

/** As `<name>.crt` and `<name>.key`. */
export async function save(folder: string, name: string, { cert, key }: Issued): Promise<void> {
  await writeFile(join(folder, `${name}.crt`), cert)
  await writeFile(join(folder, `${name}.key`), key)
}
