/** Bodies against their topic's schema, before anything is written; replies against theirs, before anyone is given one. */
import type { StandardIssue, StandardResult, StandardSchemaV1 } from '../api/index.js'
import { BuswayError } from '../errors/busway-error.js'

/** The value as the schema gives it (with defaults, say). Throws or rejects with INVALID_BODY, all issues and their paths in the message and in `details.issues`. */
export function validateBody(topic: string, schema: StandardSchemaV1, body: unknown): unknown | Promise<unknown> {
  const result = schema['~standard'].validate(body)
  return result instanceof Promise
    ? result.then((settled) => validated('body', topic, settled))
    : validated('body', topic, result)
}

/** What a handler answered, as the schema gives it. Rejects with REQUEST_FAILED. */
export async function validateReply(topic: string, schema: StandardSchemaV1, reply: unknown): Promise<unknown> {
  return validated('reply', topic, await schema['~standard'].validate(reply))
}

function validated(what: 'body' | 'reply', topic: string, result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map((issue) => ({ path: pathOf(what, issue), message: issue.message }))
  const shown = issues.slice(0, 10).map(({ path, message }) => `${path}: ${message}`)
  const more = issues.length > shown.length ? `; and ${issues.length - shown.length} more` : ''
  const code = what === 'body' ? 'INVALID_BODY' : 'REQUEST_FAILED'
  throw new BuswayError(code, `The ${what} for ${topic} does not fit its schema: ${shown.join('; ')}${more}.`, {
    details: { issues },
  })
}

function pathOf(what: string, { path }: StandardIssue): string {
  let text = what
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
