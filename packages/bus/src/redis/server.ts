/** Whether the server that answered can be used: what INFO says, judged once per connection. */
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import type { RedisAddress } from './address.js'
import type { Link } from './link.js'
import { notRedis } from './refusal.js'

export interface ServerFacts {
  /** As INFO tells it, such as `7.0.15`. */
  readonly version: string
  /** Something to tell the operator, though it works. */
  readonly warning: string | undefined
}

/** Rejects with REDIS_TOO_OLD, REDIS_REFUSED, REDIS_UNAVAILABLE, REDIS_FAILED or CONFIG_INVALID. */
export async function inspectServer(
  link: Link,
  { text: address, isFollowed, isClusterNode = false }: RedisAddress,
): Promise<ServerFacts> {
  let raw: unknown
  try {
    raw = await link.call('INFO', [])
  } catch (error) {
    // Without INFO the server may still be right: its scripts will tell.
    if (isRedisFailure(error) && error.reply === 'NOPERM') {
      return {
        version: isClusterNode ? '7.0.0' : '6.2.0',
        warning: `Redis at ${address} does not permit INFO, so its version and eviction policy cannot be checked. Permit it to this user: ACL SETUSER <user> +info`,
      }
    }
    throw error
  }
  const info = parseInfo(String(raw))
  const version = info.get('redis_version')
  if (version === undefined) throw notRedis(address, undefined)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new BuswayError(
      'REDIS_TOO_OLD',
      `Redis at ${address} is version ${version}. Busway needs 6.2 or newer, or Valkey: upgrade it.`,
    )
  }
  checkMode(info, address, isClusterNode, major)
  if (info.get('loading') === '1') {
    throw new BuswayError('REDIS_UNAVAILABLE', `Redis at ${address} is loading its data; trying again until it has.`)
  }
  if (info.get('role') === 'slave') {
    const primary = `${info.get('master_host')}:${info.get('master_port')}`
    if (isFollowed) throw new Error(`the server that was named as primary is a replica of ${primary}`)
    throw new BuswayError(
      'REDIS_REFUSED',
      `Redis at ${address} is a replica and read-only. Connect to its primary, ${primary}.`,
      { details: { primary } },
    )
  }
  return { version, warning: evictionWarning(info, address) }
}

/** A cluster is spoken to as one; sharded channels came with version 7. */
function checkMode(info: ReadonlyMap<string, string>, address: string, isClusterNode: boolean, major: number): void {
  const isCluster = info.get('redis_mode') === 'cluster'
  if (isCluster && !isClusterNode) {
    throw new BuswayError(
      'CONFIG_INVALID',
      `Redis at ${address} is a node of a cluster. Give it as one: redis: { cluster: [{ host, port }] }, or redis+cluster:// instead of redis://.`,
    )
  }
  if (!isCluster && isClusterNode) throw notACluster(address)
  if (isClusterNode && major < 7) {
    throw new BuswayError(
      'REDIS_TOO_OLD',
      `Redis at ${address} is version ${info.get('redis_version')}. On a cluster Busway needs 7.0 or newer, or Valkey: upgrade it.`,
    )
  }
}

export const notACluster = (address: string): BuswayError =>
  new BuswayError(
    'CONFIG_INVALID',
    `Redis at ${address} is no node of a cluster (cluster-enabled is no). Give it without cluster: redis: 'redis://${address}'.`,
  )

/** A server that evicts could drop messages that were accepted. */
function evictionWarning(info: ReadonlyMap<string, string>, address: string): string | undefined {
  const policy = info.get('maxmemory_policy')
  if (policy === undefined || policy === 'noeviction') return undefined
  const advice =
    "Set it: CONFIG SET maxmemory-policy noeviction (and in redis.conf), or the same in your provider's settings."
  if (info.get('maxmemory') !== '0') {
    throw new BuswayError(
      'CONFIG_INVALID',
      `Redis at ${address} may evict messages: its maxmemory-policy is ${policy}, it must be noeviction. ${advice}`,
      { details: { policy } },
    )
  }
  return `Redis at ${address} has the maxmemory-policy ${policy}, so it would evict messages as soon as a maxmemory is set. ${advice}`
}

function parseInfo(text: string): Map<string, string> {
  const info = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return info
}
