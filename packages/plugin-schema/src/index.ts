/** Avro payloads for Busway: begin with `avro` and `schema`. Named in a deployment file, the module is the plugin. */
export { type AvroSchema, avro, type Infer } from './avro.js'
export type { InferSchema } from './infer.js'
export { options, type SchemaOptions } from './options.js'
export { AVRO_TYPE, schema, schema as default } from './plugin.js'
export { type Compatibility, compatibilities } from './registry/compatibility-mode.js'
export type { SchemaVersion } from './registry/registry.js'
