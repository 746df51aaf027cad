/** The plugin's options, checked when it is made. */
import { BuswayError } from '@busway/bus'
import { type Compatibility, compatibilities } from './registry/compatibility-mode.js'

export interface SchemaOptions {
  /** What a new version of a schema must be able to do with those before it. Kept with the topic. Default: what is kept, at first `BACKWARD`. */
  compatibility?: Compatibility
  /** Another mode for some topics, by name. Default: none. */
  topics?: Readonly<Record<string, Compatibility>>
  /** How many readers of other versions are kept, the least recently used being dropped. Default: 1,000. */
  cache?: number
}

/** JSON Schema of the options, for deployment files. */
export const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    compatibility: {
      enum: [...compatibilities],
      description: 'what a new version must be able to do. Default: what the registry keeps, at first BACKWARD',
    },
    topics: {
      type: 'object',
      additionalProperties: { enum: [...compatibilities] },
      description: 'another mode for some topics',
    },
    cache: { type: 'integer', minimum: 1, default: 1_000, description: 'how many readers of other versions are kept' },
  },
}

export interface Settings {
  /** `undefined`: whatever the registry keeps. */
  readonly modeOf: (topic: string) => Compatibility | undefined
  readonly cache: number
}

/** Throws INVALID_OPTIONS. */
export function checkOptions(given: SchemaOptions): Settings {
  if (typeof given !== 'object' || given === null) throw invalid('the options are an object.')
  for (const name of Object.keys(given))
    if (!Object.hasOwn(options.properties, name))
      throw invalid(`${JSON.stringify(name)} is no option; there are ${Object.keys(options.properties).join(', ')}.`)
  const { compatibility, topics = {}, cache = 1_000 } = given
  if (compatibility !== undefined) checkMode('compatibility', compatibility)
  if (typeof topics !== 'object' || topics === null) throw invalid('topics should be an object of modes by topic.')
  for (const [topic, mode] of Object.entries(topics)) checkMode(`topics[${JSON.stringify(topic)}]`, mode)
  if (!Number.isSafeInteger(cache) || cache < 1) throw invalid('cache should be a whole number from 1 on.')
  return { cache, modeOf: (topic) => (Object.hasOwn(topics, topic) ? topics[topic] : undefined) ?? compatibility }
}

function checkMode(name: string, mode: unknown): void {
  if (!(compatibilities as readonly unknown[]).includes(mode))
    throw invalid(`${name} should be one of ${compatibilities.join(', ')}.`)
}

const invalid = (what: string): BuswayError => new BuswayError('INVALID_OPTIONS', `schema: ${what}`)
