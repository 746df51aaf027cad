/**
 * What a deployment file says: settings of the bus and plugins, and what is different for a service. Its shape as JSON Schema, which editors use
 * (`busway.schema.json` is written from it) and which is what is checked.
 */
import type { RedisOptions } from 'ioredis'
import type { BusOptions, ClusterOptions, Durability, Duration } from '../api/index.js'

/** A plugin by its module, with its options, or `false`: not in this service. */
export type PluginEntry = string | readonly [module: string] | readonly [module: string, options: object | false]

/** What may be said for all services, and for one. */
export interface DeploymentPart {
  readonly redis?: string | RedisOptions | ClusterOptions
  readonly namespace?: string
  readonly logger?: false | { readonly level?: string }
  readonly maxPayload?: number
  readonly publishTimeout?: Duration
  readonly durability?: Durability
  readonly plugins?: readonly PluginEntry[]
}

export interface Deployment extends DeploymentPart {
  readonly $schema?: string
  readonly services?: Readonly<Record<string, DeploymentPart>>
}

/** The settings that a file can say as they are: all but the plugins. */
export const settingNames = [
  'redis',
  'namespace',
  'logger',
  'maxPayload',
  'publishTimeout',
  'durability',
] as const satisfies readonly (keyof DeploymentPart)[] & readonly (keyof BusOptions)[]

const duration = {
  description: "a duration: milliseconds, or a number with ms, s, m, h or d, such as '10s'",
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$' },
  ],
}

const part = {
  redis: {
    description: 'an address such as redis://127.0.0.1:6379, or the options of ioredis',
    anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }],
  },
  namespace: {
    description: "what separates applications that share a Redis: 1 to 100 of A-Z a-z 0-9 . _ -; default 'busway'",
    type: 'string',
    pattern: '^[A-Za-z0-9._-]{1,100}$',
  },
  logger: {
    description: 'options of pino, such as { "level": "debug" }, or false for none',
    anyOf: [{ const: false }, { type: 'object' }],
  },
  maxPayload: { description: 'the longest body in bytes; default 1048576', type: 'integer', minimum: 1 },
  publishTimeout: { ...duration, description: `how long a publish is tried, ${duration.description}; default '10s'` },
  durability: {
    description:
      "what must have a publish before it resolves: 'memory', 'aof' or { replicas, timeout? }; default 'memory'",
    anyOf: [
      { enum: ['memory', 'aof'] },
      {
        type: 'object',
        additionalProperties: false,
        required: ['replicas'],
        properties: { replicas: { type: 'integer', minimum: 1 }, timeout: duration },
      },
    ],
  },
  plugins: {
    description: 'the plugins that are added, the first outermost; one that the code lists gets these options',
    type: 'array',
    items: {
      description: 'a module, or [module, options]; [module, false] leaves it out',
      anyOf: [
        { type: 'string', minLength: 1 },
        {
          type: 'array',
          minItems: 1,
          maxItems: 2,
          prefixItems: [{ type: 'string', minLength: 1 }, { anyOf: [{ type: 'object' }, { const: false }] }],
          items: false,
        },
      ],
    },
  },
}

export const deploymentSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A deployment of Busway',
  description:
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is what a file says
    'What loadBus reads. In every text ${NAME} stands for an environment variable, ${NAME:-text} for it or a default.',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: { description: 'where this schema is, for editors', type: 'string' },
    ...part,
    services: {
      description: 'what is different for a service, by its name',
      type: 'object',
      additionalProperties: { type: 'object', additionalProperties: false, properties: part },
    },
  },
}
