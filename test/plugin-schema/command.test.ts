import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { avro } from '@busway/plugin-schema'
import { type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { world as makeWorld } from '../support/world.js'
import { busOf, record } from './equipped.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const command = join(root, 'packages/plugin-schema/bin/busway-schema.js')

const id = { name: 'id', type: 'string' }
const first = record('Order', id)
const second = record('Order', id, { name: 'n', type: 'int' })
const fine = record('Order', id, { name: 'n', type: 'int', default: 0 })

describe('the command busway-schema', function () {
  this.timeout(20_000)
  const world = makeWorld()
  let folder: TemporaryFolder

  beforeEach(async () => {
    folder = await temporaryFolder()
    await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'))
  })
  afterEach(() => folder.remove())

  const check = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const { NODE_OPTIONS: _, ...env } = process.env
      execFile(process.execPath, [command, 'check', ...args], { cwd: folder.path, env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
    })

  async function files(name: string, schemas: Record<string, unknown>): Promise<string> {
    await mkdir(join(folder.path, name), { recursive: true })
    for (const [file, schema] of Object.entries(schemas))
      await writeFile(join(folder.path, name, `${file}.avsc`), JSON.stringify(schema))
    return name
  }

  async function module(schema: object): Promise<string> {
    await writeFile(
      join(folder.path, 'topics.mjs'),
      `import { defineTopics, type } from '@busway/bus'
       import { avro } from '@busway/plugin-schema'
       export const topics = defineTopics({ orders: avro(${JSON.stringify(schema)}), other: type() })
       export const none = null`,
    )
    return 'topics.mjs'
  }

  it('passes what a registry would take, and says as what', async () => {
    await busOf(world, avro(first)).ready()
    const against = ['--against', world.server.url, '--namespace', world.namespace]
    expect(await check(await module(fine), ...against)).to.deep.equal({
      code: 0,
      stdout: 'orders is BACKWARD compatible with version 1\n',
      stderr: '',
    })
    expect((await check(await module(first), ...against)).stdout).to.equal('orders is there already, as version 1\n')
    expect((await check(await files('new', { invoices: first }), ...against)).stdout).to.equal('invoices is new\n')
    expect(await world.redis.hgetall(`${world.namespace}:{$schema}:x:schema:latest`)).to.deep.equal({ orders: '1' })
  })

  it('ends with 1 for what it would refuse, and says what is wrong where', async () => {
    await busOf(world, avro(first)).ready()
    expect(
      await check(await module(second), '--against', world.server.url, '--namespace', world.namespace),
    ).to.deep.equal({
      code: 1,
      stdout: '',
      stderr:
        'orders is not BACKWARD compatible: it cannot read what version 1 wrote: schema.n: was not written, and has no default\n',
    })
  })

  it('compares by what the registry keeps, unless told otherwise', async () => {
    await busOf(world, avro(first), { options: { compatibility: 'NONE' } }).ready()
    const against = ['--against', world.server.url, '--namespace', world.namespace]
    expect((await check(await module(second), ...against)).stdout).to.equal('orders is not compared\n')
    expect((await check(await module(second), ...against, '--compatibility', 'FULL')).code).to.equal(1)
  })

  it('compares folders, with earlier versions if the mode asks for them', async () => {
    const released = await files('released', { orders: fine, 'orders@1': first, 'orders.paid': first })
    const ours = await files('ours', { orders: second, 'orders.paid': first })
    expect(await check(ours, '--against', released)).to.deep.equal({
      code: 0,
      stdout:
        'orders is BACKWARD compatible with the latest version\norders.paid is there already, as the latest version\n',
      stderr: '',
    })
    const all = await check(ours, '--against', released, '--compatibility', 'BACKWARD_TRANSITIVE')
    expect([all.code, all.stderr]).to.deep.equal([
      1,
      'orders is not BACKWARD_TRANSITIVE compatible: it cannot read what version 1 wrote: schema.n: was not written, and has no default\n',
    ])
  })

  for (const [what, args, code, says] of [
    ['nothing to compare with', ['ours'], 2, '--against is missing'],
    ['an unknown option', ['ours', '--agains', 'x'], 2, "Unknown option '--agains'"],
    ['a mode that is none', ['ours', '--against', 'ours', '--compatibility', 'UP'], 2, 'one of BACKWARD'],
    ['a folder that is not there', ['nowhere', '--against', 'ours'], 1, 'nowhere is not there'],
    ['no schemas', ['empty', '--against', 'ours'], 1, 'empty has no schemas'],
    ['a file that is no schema', ['broken', '--against', 'ours'], 1, 'schema names the type "strng"'],
    ['a module without topics', ['bare.mjs', '--against', 'ours'], 1, 'exports no topics'],
    ['a module that fails', ['failing.mjs', '--against', 'ours'], 1, 'cannot be loaded: no luck'],
    ['a registry that is not there', ['ours', '--against', 'redis://127.0.0.1:1'], 1, '127.0.0.1:1'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await files('ours', { orders: first })
      await files('empty', {})
      await files('broken', { orders: 'strng' })
      await writeFile(join(folder.path, 'bare.mjs'), 'export const a = 1')
      await writeFile(join(folder.path, 'failing.mjs'), "throw new Error('no luck')")
      const ended = await check(...args)
      expect([ended.code, ended.stderr.includes(says)], ended.stderr).to.deep.equal([code, true])
    })
  }
})
