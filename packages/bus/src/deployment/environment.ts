/** Environment variables in a deployment file's texts. */
import { BuswayError } from '../errors/busway-error.js'
import { nearest } from '../validate/nearest.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Objects and arrays within each other: no settings have so many, and each is a call. */
const DEEPEST = 100
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * The value with every `${NAME}` in its texts replaced, and `${NAME:-text}` by the text if the variable is not set or empty; `$${` stays `${`. Throws
 * CONFIG_INVALID, `where` beginning its message.
 */
export function substitute(value: unknown, env: Environment, where: string, path = '', depth = 0): unknown {
  if (depth > DEEPEST)
    throw new BuswayError('CONFIG_INVALID', `${where}: ${path.slice(0, 100)}... is nested more than ${DEEPEST} deep.`)
  if (typeof value === 'string') return filled(value, (inside) => lookUp(inside, env, `${where}: ${path}`))
  if (Array.isArray(value)) return value.map((item, i) => substitute(item, env, where, `${path}[${i}]`, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      substitute(item, env, where, path === '' ? name : `${path}.${name}`, depth + 1),
    ]),
  )
}

/** `$${` is the text itself. Each character is looked at once or twice: a regular expression would look for an end that is missing from each begin anew. */
function filled(text: string, look: (inside: string) => string): string {
  let out = ''
  let at = 0
  for (;;) {
    const open = text.indexOf('${', at)
    const close = open < 0 ? -1 : text.indexOf('}', open)
    if (close < 0) return out + text.slice(at)
    const isEscaped = open > at && text[open - 1] === '$'
    out += isEscaped
      ? text.slice(at, open - 1) + text.slice(open, close + 1)
      : text.slice(at, open) + look(text.slice(open + 2, close))
    at = close + 1
  }
}

function lookUp(text: string, env: Environment, where: string): string {
  const [, name, otherwise] = NAME.exec(text) ?? []
  if (name === undefined)
    throw new BuswayError(
      'CONFIG_INVALID',
      `${where} has \${${text.slice(0, 100)}}, which is no variable. Write \${NAME}, \${NAME:-default}, or $\${ for the text itself.`,
    )
  const value = env[name]
  if (value !== undefined && value !== '') return value
  if (otherwise !== undefined) return otherwise
  if (value !== undefined) return value
  const near = nearest(name, Object.keys(env))
  const advice = near === undefined ? '' : ` Did you mean ${near}?`
  throw new BuswayError(
    'CONFIG_INVALID',
    `${where} needs the environment variable ${name}, which is not set.${advice} Set it, or give a default: \${${name}:-...}.`,
    { details: { variable: name } },
  )
}
