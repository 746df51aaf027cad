/** Plugins: what each declares (scope), who is outside of whom (order), and what all of them become (pipeline). Start reading at plugins.ts. */
export { type Chain, compose, type Link } from './chain.js'
export { createPlugins, type Plugins, type PluginsDependencies } from './plugins.js'
