/** Who runs which script, and how an ACL of Redis tells them apart. */
import type { ScriptName } from './contract.js'

/** Whoever consumes also publishes, and whoever administers does both. */
export type Role = 'publish' | 'consume' | 'admin'

const ROLES: Readonly<Record<ScriptName, Role>> = {
  'register-topic': 'publish',
  declare: 'publish',
  publish: 'publish',
  // Any process may find something in an outbox that was left there.
  relay: 'publish',
  'outbox-read': 'publish',
  'outbox-trim': 'publish',
  watch: 'publish',
  settled: 'publish',
  stats: 'publish',
  'add-pattern': 'consume',
  open: 'consume',
  advance: 'consume',
  'advance-publishing': 'consume',
  seen: 'consume',
  sync: 'consume',
  close: 'consume',
  progress: 'consume',
  pause: 'admin',
  peek: 'admin',
  consumers: 'admin',
  'set-concurrency': 'admin',
  'dead-letters': 'admin',
  redrive: 'admin',
  message: 'admin',
  cancel: 'admin',
  update: 'admin',
  purge: 'admin',
  'remove-group': 'admin',
  'purge-topic': 'admin',
  'delete-topic': 'admin',
  'unregister-topic': 'admin',
}

export const roleOf = (script: ScriptName): Role => ROLES[script]

/**
 * The second key of every script, after `meta`, relative to the topic's prefix. It never exists. Redis looks at the keys that a script declares before it runs, so a user whose
 * ACL leaves this one out is refused whole, where a command that is missing would stop a script half-way.
 */
export const gateOf = (script: ScriptName): string => (ROLES[script] === 'publish' ? 'never' : `!${ROLES[script]}`)
