/** Types whose values avsc cannot tell apart: a union with two of one bucket wraps its values, `{ int: 5 }`, others leave them as they are. */

export function bucketOf(kind: string): string {
  switch (kind) {
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return 'number'
    case 'bytes':
    case 'fixed':
      return 'buffer'
    case 'string':
    case 'enum':
      return 'string'
    case 'record':
    case 'map':
      return 'object'
    default:
      return kind
  }
}

/** Of a value that avsc gave. */
export function bucketOfValue(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return Buffer.isBuffer(value) ? 'buffer' : typeof value
}

/** Whether avsc wraps the values of a union with branches of these kinds. */
export const wraps = (kinds: readonly string[]): boolean => new Set(kinds.map(bucketOf)).size < kinds.length
