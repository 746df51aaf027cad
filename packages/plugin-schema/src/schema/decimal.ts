/** Decimals: two's complement, big-endian, of the number times ten to the scale; in JavaScript a text, which loses nothing. */

interface Decimal {
  readonly precision: number
  readonly scale: number
}

const TEXT = /^(-?)(\d+)(?:\.(\d+))?$/

/** What is wrong with the text, if anything. `size`: of a fixed, in bytes. */
export function decimalProblem(text: string, { precision, scale }: Decimal, size?: number): string | undefined {
  const [, , whole = '', fraction = ''] = TEXT.exec(text) ?? []
  if (whole === '') return `is no decimal, such as '12.50'`
  if (fraction.length > scale) return `has ${fraction.length} decimals; the scale is ${scale}`
  const digits = whole.replace(/^0+/, '').length + scale
  if (digits > precision && digits > scale)
    return `has ${digits} digits with its decimals; the precision is ${precision}`
  if (size !== undefined && bytesOf(unscaled(text, scale)).length > size) return `does not fit ${size} bytes`
  return undefined
}

export function decimalToBytes(text: string, { scale }: Decimal, size?: number): Buffer {
  const value = unscaled(text, scale)
  const bytes = bytesOf(value)
  if (size === undefined) return bytes
  return Buffer.concat([Buffer.alloc(Math.max(0, size - bytes.length), value < 0n ? 0xff : 0), bytes])
}

export function decimalFromBytes(bytes: Uint8Array, { scale }: Decimal): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  const unsigned = hex === '' ? 0n : BigInt(`0x${hex}`)
  const value = BigInt.asIntN(Math.max(1, bytes.byteLength) * 8, unsigned)
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${value < 0n ? '-' : ''}${scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`}`
}

function unscaled(text: string, scale: number): bigint {
  const [, sign, whole = '0', fraction = ''] = TEXT.exec(text) ?? []
  const value = BigInt(whole + fraction.padEnd(scale, '0'))
  return sign === '-' ? -value : value
}

/** As few as hold it. */
function bytesOf(value: bigint): Buffer {
  let bits = 8
  while (BigInt.asIntN(bits, value) !== value) bits += 8
  return Buffer.from(
    BigInt.asUintN(bits, value)
      .toString(16)
      .padStart(bits / 4, '0'),
    'hex',
  )
}
