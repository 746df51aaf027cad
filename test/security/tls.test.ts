/** TLS as docs/security.md sets it up: its configuration of Redis, its programs, and what is said when certificates do not fit. */
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BuswayError, createBus, loadBus } from '@busway/bus'
import { type RedisServer, startRedis, type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { findFreePort } from '../../packages/testing/src/free-port.js'
import { root } from '../docs/pages.js'
import { standIn } from '../redis/stand-in.js'
import { type Authority, createAuthority, type Issued, save } from './certificates.js'
import { blocksOf } from './page.js'

const run = promisify(execFile)
/** Where the page's Redis is. */
const PLACE = { host: 'redis.internal', folder: '/etc/redis/tls' }

describe('Redis with TLS', function () {
  this.timeout(30_000)
  let folder: TemporaryFolder
  let ours: Authority
  let client: Issued
  let server: RedisServer
  let port: number

  before(async function () {
    folder = await temporaryFolder()
    ours = await createAuthority('our CA')
    client = await ours.issue(['ledger'])
    await mkdir(join(folder.path, 'tls'))
    await writeFile(join(folder.path, 'tls/ca.crt'), ours.ca)
    await save(join(folder.path, 'tls'), 'redis', await ours.issue(['localhost', '127.0.0.1']))
    await save(join(folder.path, 'tls'), 'ledger', client)
    await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'))
    await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }')
    port = await findFreePort()
    // One that was built without TLS, or runs in docker and cannot see these files.
    const started = await startRedis({ args: configuration(join(folder.path, 'tls'), port) }).catch(
      (error: Error) => error,
    )
    if (!(started instanceof Error)) server = started
    else if (process.env.CI || process.env.BUSWAY_CI) throw started
    else this.skip()
  })
  after(async () => {
    await server?.stop()
    await folder?.remove()
  })

  const trusted = () => ({ ca: ours.ca, ...client })
  /** What `ready` and a publish are told; they must be the same, long before the publish times out. */
  const told = async (tls: object, more: object = {}): Promise<BuswayError> => {
    const redis = { host: 'localhost', port, tls, ...more }
    const bus = createBus({ service: 'ledger', redis, logger: false, publishTimeout: '20s' })
    try {
      const [ready, published] = await Promise.all(
        [bus.ready(), bus.publish('orders.paid', 1)].map((promise) =>
          promise.then(
            () => expect.fail('it works'),
            (error: BuswayError) => error,
          ),
        ),
      )
      expect(published?.code).to.equal(ready?.code)
      return ready as BuswayError
    } finally {
      await bus.close({ timeout: 100 })
    }
  }

  it('serves a bus on both its connections', async () => {
    const redis = { host: 'localhost', port, tls: trusted() }
    await using bus = createBus({ service: 'ledger', redis, logger: false })
    bus.consume('orders.price', ({ body }) => `price of ${body}`)
    expect(await bus.request('orders.price', 7)).to.equal('price of 7')
  })

  describe('is not used, and told at once why, if', () => {
    it('another CA signed its certificate', async () => {
      const { ca } = await createAuthority('another CA')
      const error = await told({ ...trusted(), ca })
      expect(error.code).to.equal('REDIS_REFUSED')
      expect(error.message).to.include(`localhost:${port}`).and.include('not accepted').and.include('tls: { ca }')
    })

    it('no CA is named', async () => {
      expect((await told({ ...client })).message)
        .to.include('not accepted')
        .and.include('NODE_EXTRA_CA_CERTS')
    })

    it('its certificate is for another name', async () => {
      const error = await told({ ...trusted(), servername: 'elsewhere' })
      expect(error.message).to.include('ERR_TLS_CERT_ALTNAME_INVALID').and.include('servername')
    })

    it('it wants a client certificate, and there is none', async () => {
      const error = await told({ ca: ours.ca })
      expect(error.code).to.equal('REDIS_REFUSED')
      expect(error.message).to.include('client certificate').and.include('tls: { cert, key }')
    })

    it('another CA signed the client certificate', async () => {
      const stranger = await (await createAuthority('another CA')).issue(['ledger'])
      expect((await told({ ...trusted(), ...stranger })).message).to.include('refused the TLS handshake')
    })

    it('the client certificate has expired', async () => {
      const expired = await ours.issue(['ledger'], -1_000)
      expect((await told({ ...trusted(), ...expired })).message).to.include('refused the TLS handshake')
    })

    it('something answers that speaks no TLS', async () => {
      const server = await standIn(() => '-ERR what?\r\n')
      expect((await told(trusted(), { port: server.port })).message).to.include('does not speak TLS')
      await server.close()
    })
  })

  it('is to be told from a port without it, where nothing answers', async () => {
    await using plain = await startRedis()
    const redis = { host: 'localhost', port: plain.port, tls: trusted() }
    await using bus = createBus({ service: 'ledger', redis, logger: false, publishTimeout: 300 })
    const error = await bus.publish('orders.paid', 1).catch((error: BuswayError) => error)
    expect(error).to.include({ code: 'REDIS_UNAVAILABLE' })
    expect((error as BuswayError).message).to.include('tls-port')
  })

  it('has no other door: without TLS nothing is served', async () => {
    const redis = { host: 'localhost', port }
    await using bus = createBus({ service: 'ledger', redis, logger: false, publishTimeout: 300 })
    const error = await bus.publish('orders.paid', 1).catch((error: BuswayError) => error)
    expect(error).to.include({ code: 'REDIS_UNAVAILABLE' })
  })

  describe('on the page', () => {
    for (const [i, { line, text }] of blocksOf('ts').entries())
      it(`program ${i + 1} (line ${line}) runs`, async () => {
        const file = join(folder.path, `program-${i}.ts`)
        await writeFile(file, here(text))
        await run(process.execPath, ['--import', 'tsx', file], { cwd: folder.path, timeout: 20_000 })
      })

    it('the deployment file makes a bus that works, with the CA from the environment', async () => {
      const [block] = blocksOf('json')
      const file = join(folder.path, 'production.json')
      await writeFile(file, here(block?.text ?? ''))
      const names = { REDIS_CA: ours.ca, REDIS_CERT: client.cert, REDIS_KEY: client.key, REDIS_PASSWORD: '' }
      Object.assign(process.env, names)
      try {
        await using bus = await loadBus({ config: file, service: 'ledger', logger: false })
        await bus.ready()
      } finally {
        for (const name of Object.keys(names)) delete process.env[name]
      }
    })

    const here = (text: string) => text.replaceAll(PLACE.host, 'localhost').replaceAll('6379', String(port))
  })
})

/** The page's block of redis.conf, as arguments, with this test's files and port. */
function configuration(folder: string, port: number): string[] {
  const [block] = blocksOf('conf')
  const lines = (block?.text ?? '').trim().split('\n')
  return lines.flatMap((line) => {
    const [name, ...values] = line.replaceAll(PLACE.folder, folder).replace('6379', String(port)).split(' ')
    return [`--${name}`, values.join(' ').replaceAll('"', '')]
  })
}
