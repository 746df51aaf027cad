import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@busway/testing'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Program } from './program.js'

describe('the example, run whole', () => {
  let redis: RedisServer
  let temporary: string
  const start = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    new Program(args, { REDIS_URL: redis.url, TMPDIR: temporary, ...env })

  before(async () => {
    redis = await startRedis()
    temporary = await mkdtemp(join(tmpdir(), 'busway-example-test-'))
  })
  after(async () => {
    await redis.stop()
    await rm(temporary, { recursive: true })
  })

  it('ends with 0 and balanced books, though processes of ledger, reports and delays are killed', async function () {
    this.timeout(90_000)
    const program = start(['--flights', '500', '--seconds', '2'])
    const code = await program.end()
    expect(program.output).to.match(/Killed ledger-1 .*SIGKILL.* ledger-3 took its place/)
    expect(program.output).to.match(/Killed reports-1 .*SIGKILL.* reports-3 took its place/)
    expect(program.output).to.match(/3 reports, each assembled of the parts of \d+ airports/)
    expect(program.output).to.match(/Killed delays-1 .*SIGKILL.* delays-3 took its place/)
    expect(program.output).to.match(/4 dead letters: repaired the gateway and redrove 4/)
    expect(program.output).to.include('The books balance: 500 flights')
    expect(code).to.equal(0)
    await nothingIsLeft()
  })

  it('serves metrics while it runs, and shows one flight on its way through the services, as OpenTelemetry has seen it', async function () {
    this.timeout(90_000)
    const program = start(['--flights', '300', '--seconds', '1', '--kill', 'none'])
    await program.says(/ledger-2 +http:\S+\n/)
    const [, url = ''] = /ledger-1 +(http:\S+)\n/.exec(program.output) ?? []
    expect(await (await fetch(url)).text(), 'metrics while it runs').to.contain(
      'messaging_destination_name="flights.departed"',
    )
    expect(await program.end(), program.output).to.equal(0)
    const [, trace = ''] = /One flight on its way through the services:\n(.*?)\n\n/s.exec(program.output) ?? []
    // A batch of one is sent as one message.
    expect(trace).to.match(/^ {2}(create|send) flights\.departed +feed-1 /)
    for (const [span, service] of [
      ['process flights.departed', 'ledger'],
      ['process flights.departed', 'delays'],
      ['process airports.delayed', 'alerts'],
      ['process airports.described', 'directory'],
      ['process notices.ended', 'alerts'],
    ])
      expect(trace).to.match(new RegExp(`[├└] ${span}.* ${service}-\\d `))
    await nothingIsLeft()
  })

  it('does the same bare, as in development', async function () {
    this.timeout(90_000)
    const program = start(['--flights', '500', '--seconds', '2', '--deployment', 'development'])
    expect(await program.end(), program.output).to.equal(0)
    expect(program.output).to.include('The books balance: 500 flights').and.not.to.include('One flight on its way')
    await nothingIsLeft()
  })

  it('ends with 1 and names the flight that the ledger lost', async function () {
    this.timeout(90_000)
    const program = start(['--flights', '300', '--seconds', '0', '--kill', 'none'], { SABOTAGE_LOSE_ENTRY: '123' })
    const code = await program.end()
    expect(program.output).to.include('The books do not balance:\n  lost in ledger: flight 123 without an entry\n')
    expect(code).to.equal(1)

    const [, folder] = /The journals and logs are in (.*)\./.exec(program.output) ?? []
    expect(existsSync(join(folder as string, 'ledger-1.jsonl'))).to.equal(true)
    await rm(folder as string, { recursive: true })
    await nothingIsLeft()
  })

  it('ends with 130 and leaves nothing when it is interrupted', async function () {
    this.timeout(30_000)
    const program = start(['--flights', '2k', '--seconds', '60'])
    await program.says(/[1-9]\d*\/2000 flights/)
    program.process.kill('SIGINT')
    expect(await program.end()).to.equal(130)
    await nothingIsLeft()
  })

  it('ends with 1 and says which when a process dies by itself', async function () {
    this.timeout(30_000)
    const program = start(['--flights', '2k', '--seconds', '60'])
    await program.says(/[1-9]\d*\/2000 flights/)
    const [, pid] = /alerts-2 \((\d+)\)/.exec(program.output) ?? []
    process.kill(Number(pid), 'SIGKILL')
    expect(await program.end()).to.equal(1)
    expect(program.output).to.include('alerts-2 was ended by SIGKILL')
    await nothingIsLeft()
  })

  it('ends with 2 and its usage for wrong arguments', async () => {
    const program = start(['--flights', 'many'])
    expect(await program.end()).to.equal(2)
    expect(program.output).to.include('--flights is many').and.to.include('Usage: npm start')
  })

  /** No key and no folder; processes cannot be left, since the program waits for them. */
  async function nothingIsLeft(): Promise<void> {
    const client = new Redis(redis.url)
    expect(await client.keys('*')).to.deep.equal([])
    client.disconnect()
    expect(await readdir(temporary)).to.deep.equal([])
  }
})
