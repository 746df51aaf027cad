import { cluster } from './cluster.js'
import { sentinel } from './sentinel.js'
import type { Site, Topology } from './site.js'
import { standalone } from './standalone.js'

/** Starts what a run takes place on; `args`: more configuration of its servers. */
export const sites: Readonly<Record<Topology, (args: string[]) => Promise<Site>>> = { standalone, sentinel, cluster }
