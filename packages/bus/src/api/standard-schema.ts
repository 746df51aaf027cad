/** What a validation failure says, as in Standard Schema. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema answers: the value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/**
 * The interface of https://standardschema.dev, version 1, which zod, valibot, arktype and others implement, so that any of them can describe a topic.
 *
 * @example
 * const topics = defineTopics({ 'orders.paid': z.object({ id: z.string() }) })
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/**
 * A schema whose bodies need a plugin: defining a topic with it on a bus without that plugin is `CONFIG_INVALID` at `ready`, and says what to add. How a
 * plugin's package brings schemas of its own kind.
 *
 * @example
 * const protobuf = (message: Message) => ({ ...standardSchemaOf(message), '~busway': { requires: 'protobuf', add: 'protobuf() of @acme/busway-protobuf' } })
 */
export interface PluginSchema {
  readonly '~busway': {
    /** The plugin's name. */
    readonly requires: string
    /** What a user adds to the plugins, for the error. */
    readonly add: string
  }
}
