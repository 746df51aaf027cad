/** A message bus for microservices on Redis. Begin with `createBus`; `api/` is the contract as types. */
export * from './api/index.js'
export { createBus } from './bus.js'
export { type LoadBusOptions, loadBus } from './deployment/load-bus.js'
export * from './errors/index.js'
export { EncodedBody } from './publish/encoded-body.js'
export { defineTopics, topicTypes, type } from './topics/index.js'
export { durationMs } from './validate/durations.js'
