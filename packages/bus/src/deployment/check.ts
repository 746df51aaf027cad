/** Checks values against JSON Schemas, and says what is wrong where, with the nearest right name. */
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { BuswayError } from '../errors/busway-error.js'
import { shown } from '../validate/names.js'
import { nearest } from '../validate/nearest.js'

const MOST_SHOWN = 5

let ajv: Ajv2020 | undefined

/** Loaded by who has a deployment file. What came from the environment is text; where a number or a flag is wanted it becomes one. */
async function loadAjv(): Promise<Ajv2020> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  return new Ajv2020({ allErrors: true, coerceTypes: true, strict: false, verbose: true })
}

/** Rejects with CONFIG_INVALID if the schema itself is none. */
export async function compileSchema(schema: object, where: string): Promise<ValidateFunction> {
  ajv ??= await loadAjv()
  try {
    // Whichever draft it says it is: the newest reads them all.
    const { $schema: _, ...rest } = schema as { $schema?: unknown }
    return ajv.compile(rest)
  } catch (cause) {
    throw new BuswayError('CONFIG_INVALID', `${where}: its JSON Schema cannot be used: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** Throws CONFIG_INVALID naming every mistake, the first few in its message, all in `details.problems`. May turn texts into numbers and flags. */
export function check(validate: ValidateFunction, value: unknown, where: string, root = ''): void {
  if (validate(value)) return
  const problems = unique(told(validate.errors ?? []).map((error) => explain(error, root)))
  const more = problems.length > MOST_SHOWN ? ` And ${problems.length - MOST_SHOWN} more.` : ''
  throw new BuswayError('CONFIG_INVALID', `${where}: ${problems.slice(0, MOST_SHOWN).join(' ')}${more}`, {
    details: { problems },
  })
}

/** Of a value that fits none of several shapes, what it does not fit says more than each way in which it does not; unless it is nearly one of them. */
function told(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
  return errors.filter((error) => {
    const around = unions.filter((union) => union !== error && error.schemaPath.startsWith(`${union.schemaPath}/`))
    return around.length === 0
  })
}

function explain({ keyword, instancePath, params, data, parentSchema, message }: ErrorObject, root: string): string {
  const path = pathOf(instancePath, root)
  const at = path === '' ? 'it' : path
  const description = (parentSchema as { description?: string } | undefined)?.description
  switch (keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params.additionalProperty ?? params.unevaluatedProperty)
      const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {})
      const near = nearest(name, known)
      const advice =
        near !== undefined ? ` Did you mean ${shown(near)}?` : known.length > 0 ? ` There are ${known.join(', ')}.` : ''
      return `${at} has no ${shown(name)}.${advice}`
    }
    case 'required':
      return `${at} lacks ${shown(params.missingProperty)}.`
    case 'enum': {
      const values = (params.allowedValues as unknown[]).map(String)
      const near = nearest(String(data), values)
      return `${at}: ${said(data)} is none of ${values.join(', ')}.${near === undefined ? '' : ` Did you mean ${shown(near)}?`}`
    }
    default:
      return description === undefined
        ? `${at}: ${said(data)} ${message}.`
        : `${at}: ${said(data)} is not ${description}.`
  }
}

const said = (data: unknown): string =>
  typeof data === 'number' || typeof data === 'boolean' ? String(data) : shown(data)

/** `/services/ledger/plugins/0` -> `services.ledger.plugins[0]` */
function pathOf(pointer: string, root: string): string {
  let text = root
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    text += /^\d+$/.test(name) ? `[${name}]` : text === '' ? name : `.${name}`
  }
  return text
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)]
