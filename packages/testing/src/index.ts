/** Private Redis servers for tests and first runs: found or fetched, started in a temporary folder, gone when the program is. */
export { describeRedis, type FindRedisOptions, findRedis } from './find.js'
export { RedisNotFoundError } from './not-found.js'
export { type RedisServer, type StartRedisOptions, startRedis } from './server.js'
export type { FoundRedis, RedisServerProgram, RedisSource, RunningRedis, SkippedSource } from './sources/source.js'
export { type TemporaryFolder, temporaryFolder } from './temporary-folder.js'
