import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import {
  describeRedis,
  type FoundRedis,
  findRedis,
  RedisNotFoundError,
  type RedisServer,
  startRedis,
  type TemporaryFolder,
  temporaryFolder,
} from '@busway/testing'
import { expect } from 'chai'
import { standIn } from './stand-in.js'

const quiet = { onProgress: () => {} }

describe('finding Redis', () => {
  let temporary: TemporaryFolder
  let folder: string
  before(async () => {
    temporary = await temporaryFolder()
    folder = temporary.path
  })
  after(() => temporary.remove())

  const forced = (source: string, env: NodeJS.ProcessEnv = {}): Promise<FoundRedis> =>
    findRedis({ ...quiet, env: { ...process.env, ...env, BUSWAY_REDIS_SOURCE: source } })
  const failure = (search: Promise<FoundRedis>): Promise<Error> =>
    search.then(
      (found) => {
        throw new Error(`found ${describeRedis(found)}`)
      },
      (error: Error) => error,
    )

  describe('at REDIS_URL', () => {
    let server: RedisServer
    before(async () => {
      server = await startRedis({ args: ['--requirepass', 'p@ss/word'] })
    })
    after(() => server.stop())

    it('takes a server that answers and is new enough', async () => {
      const url = server.url.replace('//', '//:p%40ss%2Fword@')
      const found = await forced('url', { REDIS_URL: url })
      expect(found).to.include({ source: 'url', url, version: server.version })
      expect(describeRedis(found)).to.equal(
        `${server.name} ${server.version} at REDIS_URL (redis://:***@127.0.0.1:${server.port})`,
      )
    })

    it('refuses one that wants another password, without showing the one it was given', async () => {
      const error = await failure(forced('url', { REDIS_URL: server.url.replace('//', '//:guess@') }))
      expect(error.message).to.match(/url: redis:\/\/:\*\*\*@127.0.0.1:\d+ answers -WRONGPASS/)
      expect(error.message).not.to.contain('guess')
    })

    it('refuses an address where nobody answers, a text that is no URL, and no address', async () => {
      const nobody = await failure(forced('url', { REDIS_URL: 'redis://127.0.0.1:1' }))
      expect(nobody.message).to.contain('redis://127.0.0.1:1 cannot be reached (connect ECONNREFUSED 127.0.0.1:1)')
      const noUrl = await failure(forced('url', { REDIS_URL: 'localhost:6379' }))
      expect(noUrl.message).to.contain('REDIS_URL is not a URL that begins with redis:// or rediss://')
      expect((await failure(forced('url', { REDIS_URL: '' }))).message).to.contain('REDIS_URL is not set')
    })

    it('refuses a server that is too old', async () => {
      const old = await answering('$23\r\nredis_version:5.0.14\r\n\r\n\r\n')
      const error = await failure(forced('url', { REDIS_URL: `redis://127.0.0.1:${portOf(old)}` }))
      expect(error.message).to.match(/is Redis 5\.0\.14, and Busway needs 6\.2\.0 or newer/)
      old.close()
    })

    it('refuses something that is no Redis', async () => {
      const web = await answering('HTTP/1.1 400 Bad Request\r\n\r\n')
      const error = await failure(forced('url', { REDIS_URL: `redis://127.0.0.1:${portOf(web)}` }))
      expect(error.message).to.contain('answers HTTP/1.1 400 Bad Request')
      web.close()
    })
  })

  describe('on PATH', () => {
    it('takes redis-server, and valkey-server where there is no redis-server', async () => {
      const redis = await standIn(
        folder,
        'bin-redis',
        'redis-server',
        'echo "Redis server v=7.2.4 sha=0:0 malloc=libc"',
      )
      expect(describeRedis(await forced('path', { PATH: redis.path }))).to.equal(
        `Redis 7.2.4 from PATH (${redis.command})`,
      )
      const valkey = await standIn(folder, 'bin-valkey', 'valkey-server', 'echo "Valkey server v=8.0.1 sha=0:0"')
      expect(describeRedis(await forced('path', { PATH: valkey.path }))).to.equal(
        `Valkey 8.0.1 from PATH (${valkey.command})`,
      )
    })

    it('refuses a program that is too old, one that does not run, and an empty PATH', async () => {
      const old = await standIn(folder, 'bin-old', 'redis-server', 'echo "Redis server v=6.0.16 sha=0:0"')
      expect((await failure(forced('path', { PATH: old.path }))).message).to.contain(
        'is Redis 6.0.16, and Busway needs',
      )
      const broken = await standIn(
        folder,
        'bin-broken',
        'redis-server',
        'echo "libjemalloc.so.2: not found" >&2; exit 127',
      )
      expect((await failure(forced('path', { PATH: broken.path }))).message).to.contain(
        `${broken.command} does not run (libjemalloc.so.2: not found)`,
      )
      const none = await failure(forced('path', { PATH: '/nonexistent' }))
      expect(none.message).to.contain('neither redis-server nor valkey-server is on PATH')
    })
  })

  describe('with apt, and then in the cache', function () {
    this.timeout(240_000)

    it('fetches the package without root, starts a server from it, and finds it in the cache the next time', async function () {
      const env = { ...process.env, PATH: process.env.PATH, BUSWAY_CACHE_DIR: join(folder, 'cache') }
      const attempt = forced('apt', env)
      if (!(await forcedOnDebian(attempt))) return this.skip()
      const found = await attempt
      expect(describeRedis(found)).to.match(/^\w+ \d+\.\d+\.\d+ from the distribution's packages, now in the cache \(/)
      const cached = await forced('cache', env)
      expect(cached).to.include({ source: 'cache', version: found.version })
      await using server = await startRedis({ env: { ...env, BUSWAY_REDIS_SOURCE: 'cache' } })
      expect(server.description).to.match(/from the cache/)
      expect(server.pid).to.be.a('number')
    })

    it('says so where there is no apt, and where the cache is empty', async () => {
      const noApt = await failure(forced('apt', { PATH: '/nonexistent' }))
      expect(noApt.message).to.contain('apt-get is not on PATH: only Debian, Ubuntu and the like have it')
      const noCache = await failure(forced('cache', { BUSWAY_CACHE_DIR: join(folder, 'empty') }))
      expect(noCache.message).to.match(/cache: .*empty.*redis-server does not exist/)
    })

    it('does not run what no longer runs from the cache', async () => {
      const env = { BUSWAY_CACHE_DIR: join(folder, 'stale') }
      const { message } = await failure(forced('cache', env))
      const command = /cache: (.*) does not exist/.exec(message)?.[1] as string
      await mkdir(join(command, '..'), { recursive: true })
      await writeFile(command, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
      expect((await failure(forced('cache', env))).message).to.contain(`${command} does not run`)
    })
  })

  describe('in docker', () => {
    it('says so where there is no docker, or no engine behind it', async () => {
      expect((await failure(forced('docker', { PATH: '/nonexistent' }))).message).to.contain('docker is not on PATH')
      const engineless = await failure(
        forced('docker', { DOCKER_HOST: 'unix:///nonexistent.sock', DOCKER_CONTEXT: '' }),
      )
      expect(engineless.message).to.match(/docker: docker is (not on PATH|installed, but no engine answers \(.+\))\./)
    })
  })

  it('tries them in order, and says what it is when REDIS_URL was of no use', async () => {
    const redis = await standIn(folder, 'bin-order', 'redis-server', 'echo "Redis server v=7.2.4 sha=0:0"')
    const { BUSWAY_REDIS_SOURCE: _, ...env } = process.env
    const found = await findRedis({ ...quiet, env: { ...env, REDIS_URL: 'redis://127.0.0.1:1', PATH: redis.path } })
    expect(found.source).to.equal('path')
    expect(describeRedis(found)).to.match(
      /^Redis 7\.2\.4 from PATH \(.*\), since redis:\/\/127\.0\.0\.1:1 cannot be reached/,
    )
  })

  it('says why for each, and the line to run, where there is none', async () => {
    const { BUSWAY_REDIS_SOURCE: _, REDIS_URL: __, ...rest } = process.env
    const env = { ...rest, PATH: '/nonexistent', BUSWAY_CACHE_DIR: join(folder, 'none') }
    const error = await failure(findRedis({ ...quiet, env }))
    expect(error).to.be.instanceOf(RedisNotFoundError)
    for (const source of ['url', 'path', 'cache', 'apt', 'docker']) expect(error.message).to.contain(`\n  ${source}: `)
    expect(error.message).to.match(/\nInstall one with:\n {2}\S+ .*(redis|valkey)/)
  })

  it('names the sources there are when BUSWAY_REDIS_SOURCE is none of them', async () => {
    expect((await failure(forced('brew'))).message).to.equal(
      'BUSWAY_REDIS_SOURCE is brew, and must be one of url, path, cache, apt, docker.',
    )
  })

  it('never gives a test the server at REDIS_URL', async () => {
    const env = { ...process.env, BUSWAY_REDIS_SOURCE: 'url', REDIS_URL: 'redis://127.0.0.1:6379' }
    const error = await startRedis({ env }).then(
      () => new Error('started'),
      (error: Error) => error,
    )
    expect(error.message).to.contain('BUSWAY_REDIS_SOURCE=url cannot be used here: a private server comes from')
  })
})

/** Whether this system has apt at all; where it has not, the attempt must have said so. */
async function forcedOnDebian(attempt: Promise<FoundRedis>): Promise<boolean> {
  const error = await attempt.then(
    () => undefined,
    (error: Error) => error,
  )
  if (error && !error.message.includes('only Debian')) throw error
  return error === undefined
}

/** A server that gives the same answer to whatever it is sent. */
async function answering(reply: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write(reply))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
