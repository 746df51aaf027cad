/** Schemas that need a plugin: without it their bodies would travel as something else. */
import type { PluginSchema, StandardSchemaV1, TopicDefinition } from '../api/index.js'
import { BuswayError } from '../errors/index.js'

/** Throws CONFIG_INVALID for a topic whose schema needs a plugin that is none of `registered`. */
export function checkSchemas(topics: Readonly<Record<string, TopicDefinition>>, registered: readonly string[]): void {
  for (const [topic, { body, reply }] of Object.entries(topics)) {
    for (const schema of [body, reply]) {
      const needs = (schema as (StandardSchemaV1 & Partial<PluginSchema>) | undefined)?.['~busway']
      if (needs === undefined || registered.includes(needs.requires)) continue
      throw new BuswayError(
        'CONFIG_INVALID',
        `The topic ${topic} is defined with a schema that needs the plugin '${needs.requires}': add ${needs.add} to this bus' plugins.`,
        { details: { topic, plugin: needs.requires } },
      )
    }
  }
}
