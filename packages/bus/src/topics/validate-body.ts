/** Bodies against their topic's schema, before anything is written. */
import type { StandardIssue, StandardResult, StandardSchemaV1 } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'

/** The value as the schema gives it (with defaults, say). Throws or rejects with INVALID_BODY, all issues and their paths in the message and in `details.issues`. */
export function validateBody(topic: string, schema: StandardSchemaV1, body: unknown): unknown | Promise<unknown> {
  const result = schema['~standard'].validate(body)
  return result instanceof Promise ? result.then((settled) => validated(topic, settled)) : validated(topic, result)
}

function validated(topic: string, result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }))
  const shown = issues.slice(0, 10).map(({ path, message }) => `${path}: ${message}`)
  const more = issues.length > shown.length ? `; and ${issues.length - shown.length} more` : ''
  throw new BuswayError('INVALID_BODY', `The body for ${topic} does not fit its schema: ${shown.join('; ')}${more}.`, {
    details: { issues },
  })
}

function pathOf({ path }: StandardIssue): string {
  let text = 'body'
  for (const step of path ?? []) {
    const key = typeof step === 'object' ? step.key : step
    text +=
      typeof key === 'number'
        ? `[${key}]`
        : /^[A-Za-z_$][\w$]*$/.test(String(key))
          ? `.${String(key)}`
          : `[${JSON.stringify(String(key))}]`
  }
  return text
}
