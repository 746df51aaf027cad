export { UnexpectedReply } from './codec.js'
export * from './compose.js'
export * from './contract.js'
export * from './contract-looking.js'
export * from './contract-registry.js'
export { gateOf, type Role, roleOf } from './roles.js'
export { deadLetters, pause, purge, redrive, removeGroup, setConcurrency, stats } from './scripts/admin.js'
export { advance, advancePublishing } from './scripts/advance.js'
export { cancel } from './scripts/cancel.js'
export { close } from './scripts/close.js'
export { consumers } from './scripts/consumers.js'
export { declare } from './scripts/declare.js'
export { message } from './scripts/message.js'
export { open } from './scripts/open.js'
export { outboxRead, outboxTrim, relay } from './scripts/outbox.js'
export { peek } from './scripts/peek.js'
export { publish } from './scripts/publish.js'
export { readPush, seen } from './scripts/push.js'
export {
  addPattern,
  groupPattern,
  partitionsField,
  patternField,
  REGISTRY,
  registerTopic,
  unregisterTopic,
} from './scripts/registry.js'
export { sync } from './scripts/sync.js'
export { deleteTopic, purgeTopic } from './scripts/topic.js'
export { update } from './scripts/update.js'
export { progress, settled, watch } from './scripts/watch.js'
