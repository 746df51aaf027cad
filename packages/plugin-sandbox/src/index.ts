/**
 * Handlers in worker threads or processes.
 *
 * Read types.ts first, then sandbox.ts.
 */
import type { Plugin } from '@busway/bus'
import { closeSandboxes } from './sandbox.js'

export { type SandboxedHandler, sandbox } from './sandbox.js'
export type * from './types.js'

/**
 * The plugin: closes the sandboxes of this process with the bus, so that their modules' `close` is called. Sandboxes work without it; then their threads and
 * processes end with the program.
 *
 * @example
 * const bus = createBus({ service: 'render', plugins: [sandboxes()] })
 */
export function sandboxes(): Plugin<'sandbox'> {
  return {
    name: 'sandbox',
    api: 1,
    setup(scope) {
      scope.close(closeSandboxes)
    },
  }
}

export default sandboxes

/** JSON Schema of the options, for deployment files: there are none. */
export const options = { type: 'object', additionalProperties: false, properties: {} }
