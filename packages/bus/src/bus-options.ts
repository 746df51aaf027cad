/** What `createBus` takes, checked and with its defaults. */
import type { BusOptions, Logger, Plugin, Topics } from './api/index.js'
import { createLogger } from './logging/logger.js'
import { checkDurability, type Wanted } from './publish/durability.js'
import { type RedisAddress, redisAddress } from './redis/address.js'
import { durationMs } from './validate/durations.js'
import { checkNamespace, checkService } from './validate/names.js'
import { checkInteger, checkNames, checkOptionsObject, invalidOption } from './validate/options.js'

const names = [
  'service',
  'topics',
  'plugins',
  'redis',
  'namespace',
  'logger',
  'maxPayload',
  'publishTimeout',
  'durability',
] as const

export interface BusSettings {
  readonly service: string
  readonly namespace: string
  readonly address: RedisAddress
  readonly log: Logger
  readonly topics: Topics<object> | undefined
  readonly plugins: readonly Plugin[]
  readonly maxPayload: number
  readonly publishTimeoutMs: number
  readonly durability: Wanted | undefined
}

/** Throws INVALID_OPTIONS, CONFIG_INVALID. */
export function checkBusOptions(options: BusOptions<object, readonly Plugin[]>): BusSettings {
  checkOptionsObject('createBus', options)
  if (options === undefined) throw invalidOption('createBus', options, 'an object with at least a service')
  checkNames('createBus', options, names)
  const { service, namespace = 'busway', topics, plugins = [], redis, logger, maxPayload, publishTimeout } = options
  checkService(service)
  checkNamespace(namespace)
  if (topics !== undefined && (typeof topics !== 'object' || topics === null))
    throw invalidOption('topics', topics, 'what defineTopics or topicTypes gives')
  if (!Array.isArray(plugins)) throw invalidOption('plugins', plugins, 'a list of plugins')
  if (redis !== undefined && typeof redis !== 'string' && (typeof redis !== 'object' || redis === null)) {
    throw invalidOption('redis', redis, 'an address such as redis://127.0.0.1:6379, or the options of ioredis')
  }
  const publishTimeoutMs = publishTimeout === undefined ? 10_000 : durationMs('publishTimeout', publishTimeout, 1)
  return {
    service,
    namespace,
    address: redisAddress(redis),
    log: createLogger(logger, service),
    topics,
    plugins,
    maxPayload: maxPayload === undefined ? 1024 * 1024 : checkInteger('maxPayload', maxPayload, 1, 256 * 1024 * 1024),
    publishTimeoutMs,
    durability: checkDurability(options.durability, publishTimeoutMs),
  }
}
