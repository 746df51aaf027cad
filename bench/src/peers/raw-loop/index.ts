import { createRequire } from 'node:module'
import type { Peer } from '../../peer.js'
import { RawConsumer } from './consumer.js'
import { RawProducer } from './producer.js'

const { version } = createRequire(import.meta.url)('../../../../lua/package.json') as { version: string }

/**
 * What Busway's data model and scripts allow at most for the work that all do: its own scripts called directly, each body written as JSON, each batch read by
 * one parse. No promises per message, no middleware, no lookahead, no retries.
 */
export const rawLoop: Peer = {
  name: 'raw-loop',
  version,
  openProducer: (place) => RawProducer.open(place),
  openConsumer: (place, options) => RawConsumer.open(place, options),
}
