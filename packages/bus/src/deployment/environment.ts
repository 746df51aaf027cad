/** Environment variables in a deployment file's texts. */
import { BuswayError } from '../errors/busway-error.js'
import { nearest } from '../validate/nearest.js'

type Environment = Readonly<Record<string, string | undefined>>

const PLACEHOLDER = /\$(\$?)\{([^}]*)\}/g
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * The value with every `${NAME}` in its texts replaced, and `${NAME:-text}` by the text if the variable is not set or empty; `$${` stays `${`. Throws
 * CONFIG_INVALID, `where` beginning its message.
 */
export function substitute(value: unknown, env: Environment, where: string, path = ''): unknown {
  if (typeof value === 'string')
    return value.replace(PLACEHOLDER, (whole, escaped: string, inside: string) =>
      escaped === '' ? lookUp(inside, env, `${where}: ${path}`) : whole.slice(1),
    )
  if (Array.isArray(value)) return value.map((item, i) => substitute(item, env, where, `${path}[${i}]`))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      substitute(item, env, where, path === '' ? name : `${path}.${name}`),
    ]),
  )
}

function lookUp(text: string, env: Environment, where: string): string {
  const [, name, otherwise] = NAME.exec(text) ?? []
  if (name === undefined)
    throw new BuswayError(
      'CONFIG_INVALID',
      `${where} has \${${text}}, which is no variable. Write \${NAME}, \${NAME:-default}, or $\${ for the text itself.`,
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
