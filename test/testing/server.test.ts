import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findRedis, type RedisServer, startRedis, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { isAlive, untilGone } from './left-behind.js'
import { standIn } from './stand-in.js'

describe('a private Redis', () => {
  it('answers on its port and on its socket, evicts nothing and saves nothing', async () => {
    await using server = await startRedis()
    for (const address of [server.url, server.socket as string]) {
      const redis = new Redis(address)
      expect(await redis.config('GET', 'maxmemory-policy')).to.deep.equal(['maxmemory-policy', 'noeviction'])
      expect(await redis.config('GET', 'save')).to.deep.equal(['save', ''])
      expect(await redis.config('GET', 'appendonly')).to.deep.equal(['appendonly', 'no'])
      redis.disconnect()
    }
  })

  it('takes more configuration', async () => {
    await using server = await startRedis({ args: ['--maxmemory', '12mb', '--databases', '3'] })
    await using redis = connected(server)
    expect(await redis.client.config('GET', 'maxmemory')).to.deep.equal(['maxmemory', String(12 * 1024 * 1024)])
    expect(await redis.client.config('GET', 'databases')).to.deep.equal(['databases', '3'])
  })

  it('says what the server said when it does not start', async () => {
    const error = await startRedis({ args: ['--no-such-option', 'x'] }).then(
      () => new Error('started'),
      (error: Error) => error,
    )
    expect(error.message).to.match(/ended with code 1 before it was ready:[\s\S]*no-such-option/)
  })

  it('is gone with its folder after stop, which may be called again', async () => {
    const server = await startRedis()
    const { pid, dir } = server as { pid: number; dir: string }
    expect(isAlive(pid) && existsSync(dir)).to.equal(true)
    await server.stop()
    await server.stop()
    expect(isAlive(pid) || existsSync(dir)).to.equal(false)
    expect(server.pid).to.equal(undefined)
  })

  it('comes back empty on the same address after restart', async () => {
    await using server = await startRedis()
    const { url, pid } = server
    await write(server, 'x')
    await server.restart()
    expect(server.url).to.equal(url)
    expect(server.pid).not.to.equal(pid)
    expect(await read(server)).to.equal(null)
  })

  it('comes back with every answered write if it keeps its data, after restart and after a kill', async () => {
    await using server = await startRedis({ keepData: true })
    await write(server, 'before restart')
    await server.restart()
    expect(await read(server)).to.equal('before restart')
    await write(server, 'before kill')
    await server.kill()
    expect(server.pid).to.equal(undefined)
    await server.restart()
    expect(await read(server)).to.equal('before kill')
  })

  it('answers nothing while paused, and goes on when resumed', async () => {
    await using server = await startRedis()
    await using redis = connected(server)
    await redis.client.ping()
    await server.pause()
    let answered = false
    const reply = redis.client.ping().then((text) => {
      answered = true
      return text
    })
    const impatient = new Redis(server.url, { commandTimeout: 200, maxRetriesPerRequest: 0 })
    impatient.on('error', () => {})
    expect(await impatient.ping().catch((error: Error) => error.message)).to.equal('Command timed out')
    impatient.disconnect()
    expect(answered).to.equal(false)
    await server.resume()
    expect(await reply).to.equal('PONG')
  })

  it('can be stopped and restarted while paused', async () => {
    const server = await startRedis()
    const { pid, dir } = server as { pid: number; dir: string }
    await server.pause()
    await server.stop()
    await untilGone({ pid, dir })
  })

  it('is one of many at the same time, each with data of its own', async () => {
    const servers = await Promise.all(Array.from({ length: 8 }, () => startRedis()))
    expect(new Set(servers.map(({ port }) => port)).size).to.equal(8)
    await Promise.all(servers.map((server, i) => write(server, String(i))))
    expect(await Promise.all(servers.map(read))).to.deep.equal(['0', '1', '2', '3', '4', '5', '6', '7'])
    await Promise.all(servers.map((server) => server.stop()))
  })

  it('runs in docker: here in a stand-in for its client, which starts the container as a process', async function () {
    await using temporary = await temporaryFolder()
    const folder = temporary.path
    const local = await findRedis({ sources: ['path', 'cache', 'apt'] })
    if (local.source === 'url') return this.skip()
    const { path } = await standIn(folder, 'bin', 'docker', dockerClient(local.command, folder))
    const env = { ...process.env, PATH: `${path}:${process.env.PATH}`, BUSWAY_REDIS_SOURCE: 'docker' }
    const server = await startRedis({ env, keepData: true })
    const calls = () => readFile(join(folder, 'calls'), 'utf8')
    const { pid, dir } = server as { pid: number; dir: string }
    try {
      expect(server.description).to.match(/^\w+ [\d.]+ in docker \(redis:8-alpine\)$/)
      expect(server.socket).to.equal(undefined)
      await write(server, 'x')
      await server.pause()
      await server.resume()
      await server.kill()
      await server.restart()
      expect(await read(server)).to.equal('x')
      expect(await calls()).to.match(/^pause busway-\w+\nunpause busway-\w+\nkill busway-\w+\n/m)
    } finally {
      await server.stop()
    }
    await untilGone({ pid, dir })
  })
})

/** What a docker client does as far as `startRedis` uses it, with a process in the container's place. */
function dockerClient(redisServer: string, folder: string): string {
  return `
echo "$@" >> ${folder}/calls
case "$1" in
  version) echo 28.0.0; exit;;
  pause) kill -STOP $(cat ${folder}/pid); exit;;
  unpause) kill -CONT $(cat ${folder}/pid); exit;;
  kill | rm) kill -KILL $(cat ${folder}/pid); exit;;
  stop) kill -TERM $(cat ${folder}/pid); exit;;
esac
shift
while [ "$1" != redis-server ]; do
  case "$1" in
    -v) data=\${2%%:*};;
    -p) address=\${2%:*}; port=\${address##*:};;
  esac
  shift
done
shift
[ "$1" = --version ] && exec ${redisServer} --version
for argument; do
  shift
  [ "$argument" = /data ] && argument=$data
  set -- "$@" "$argument"
done
echo $$ > ${folder}/pid
exec ${redisServer} "$@" --port $port --bind 127.0.0.1
`
}

function connected({ url }: RedisServer) {
  const client = new Redis(url)
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}

async function write(server: RedisServer, value: string): Promise<void> {
  await using redis = connected(server)
  await redis.client.set('key', value)
}

async function read(server: RedisServer): Promise<string | null> {
  await using redis = connected(server)
  return await redis.client.get('key')
}
