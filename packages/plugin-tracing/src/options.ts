/** What `tracing` can be told, with its defaults. */
import { BuswayError } from '@busway/bus'

/** Options of `tracing`. */
export interface TracingOptions {
  /**
   * How a `process` span belongs to the message. `parent`: a child of the span that published it, in its trace, and linked to it as well. `link`: the root of
   * a trace of its own, linked to it. A batch handler's span is always linked only. Default: `parent`.
   */
  relation?: 'parent' | 'link'
  /** Put `messaging.message.body.size`, in bytes, on spans about one message. Default: false. */
  bodySize?: boolean
  /** A span for what Redis confirmed of each message: that it is done, is tried again, or is a dead letter. Default: true. */
  settle?: boolean
  /** Record what failed as exception events, with message and stack; without, spans say only its type. Default: true. */
  exceptions?: boolean
}

/** The options as JSON Schema, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    relation: {
      enum: ['parent', 'link'],
      description:
        "whether a process span is a child of the span that published its message, or only linked to it; default 'parent'",
    },
    bodySize: { type: 'boolean', description: "whether spans say the body's size in bytes; default false" },
    settle: { type: 'boolean', description: 'whether there is a span for each settle; default true' },
    exceptions: {
      type: 'boolean',
      description: 'whether what failed is recorded with its message and stack; default true',
    },
  },
}

/** With all defaults. Throws INVALID_OPTIONS. */
export function checkOptions(given: TracingOptions): Required<TracingOptions> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('tracing: the options are an object { relation, bodySize, settle, exceptions }, or nothing.')
  for (const [name, value] of Object.entries(given)) {
    const takes = Object.hasOwn(checks, name) ? checks[name as keyof TracingOptions] : undefined
    if (takes === undefined)
      throw invalid(`tracing: there is no option '${name}'; it has ${Object.keys(checks).join(', ')}.`)
    if (value !== undefined && !takes.values.includes(value))
      throw invalid(`tracing: ${name} should be ${takes.values.join(' or ')}.`)
  }
  const { relation = 'parent', bodySize = false, settle = true, exceptions = true } = given
  return { relation, bodySize, settle, exceptions }
}

const flag = { values: [true, false] as unknown[] }
const checks: Record<keyof TracingOptions, { values: unknown[] }> = {
  relation: { values: ['parent', 'link'] },
  bodySize: flag,
  settle: flag,
  exceptions: flag,
}

const invalid = (message: string): BuswayError => new BuswayError('INVALID_OPTIONS', message)
