// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables as a deployment file has them
/** Loading a bus from a deployment file: real files in a folder of their own, plugins of strangers beside them. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BuswayError, loadBus, type Plugin } from '@busway/bus'
import { type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import fc from 'fast-check'
import { check, compileSchema } from '../../packages/bus/src/deployment/check.js'
import { deploymentSchema } from '../../packages/bus/src/deployment/deployment.js'
import { root } from '../docs/pages.js'
import { LogLines } from '../support/log-lines.js'
import { world } from '../support/world.js'

/** A plugin's module as a stranger writes it: a context property that says which options it was made with. */
const moduleOf = (name: string, options = '{}') => `
export default (options = {}) => ({
  name: '${name}', api: 1,
  setup: (scope) => void scope.context('${name}', () => options),
})
export const options = ${options}
`
const tenantOptions = JSON.stringify({
  type: 'object',
  additionalProperties: false,
  properties: { header: { type: 'string' }, limit: { type: 'integer', minimum: 1 }, mode: { enum: ['strict', 'lax'] } },
})
const listed = (name: string, options: unknown = 'from the code'): Plugin => ({
  name,
  api: 1,
  setup: (scope) => void scope.context(name, () => options),
})

describe('a deployment file', () => {
  const { place, folder, file, load, failure } = deployments()

  it('equips a bus: settings, and plugins around those of the code, in its order', async () => {
    await file({
      redis: place.server.url,
      namespace: place.namespace,
      plugins: ['./outer.mjs', ['stranger', {}], ['./tenant.mjs', { header: 'x-tenant' }]],
    })
    await using bus = await load({ plugins: [listed('mine'), listed('tenant')] })
    expect(bus.inspect().plugins.map(({ name }) => name)).to.deep.equal(['outer', 'stranger', 'mine', 'tenant'])
    const context = new Promise<Record<string, unknown>>((resolve) => {
      bus.consume('orders.paid', (_message, ctx) => resolve(ctx as unknown as Record<string, unknown>))
    })
    await bus.publish('orders.paid', 1)
    const { mine, tenant, stranger } = await context
    expect(mine).to.equal('from the code')
    expect(tenant).to.deep.equal({ header: 'x-tenant' })
    expect(stranger).to.deep.equal({})
    expect(await place.redis.keys(`${place.namespace}:*`)).not.to.deep.equal([])
  })

  it('says what is different for a service: settings, options, a plugin more or less', async () => {
    await file({
      redis: place.server.url,
      namespace: 'elsewhere',
      plugins: ['./outer.mjs', ['./tenant.mjs', { limit: 1 }]],
      services: {
        ledger: {
          namespace: place.namespace,
          plugins: [['./tenant.mjs', { limit: 2 }], ['./outer.mjs', false], 'stranger'],
        },
      },
    })
    await using bus = await load({ service: 'ledger' })
    expect(bus.inspect().plugins.map(({ name }) => name)).to.deep.equal(['tenant', 'stranger'])
    await using other = await load({ service: 'mail' })
    expect(other.inspect().plugins.map(({ name }) => name)).to.deep.equal(['outer', 'tenant'])
  })

  it('is the same as none when it adds nothing', async () => {
    await file({})
    await using bus = await load({ redis: place.server.url, namespace: place.namespace, plugins: [listed('mine')] })
    expect(bus.inspect().plugins.map(({ name }) => name)).to.deep.equal(['mine'])
    await bus.ready()
  })

  it('takes numbers and flags from the environment as they are wanted, defaults included', async () => {
    await file({
      redis: '${TEST_REDIS}',
      namespace: '${TEST_NAMESPACE:-unused}',
      maxPayload: '${TEST_MAX:-64}',
      plugins: [['./tenant.mjs', { limit: '${TEST_LIMIT}', header: 'costs $${not} ${TEST_LIMIT}' }]],
    })
    const env = { TEST_REDIS: place.server.url, TEST_NAMESPACE: place.namespace, TEST_LIMIT: '7', TEST_MAX: '' }
    Object.assign(process.env, env)
    try {
      await using bus = await load()
      const tenant = new Promise((resolve) => {
        bus.consume('orders.paid', (_message, ctx) => resolve((ctx as unknown as { tenant: unknown }).tenant))
      })
      await bus.publish('orders.paid', 'short')
      expect(await tenant).to.deep.equal({ limit: 7, header: 'costs ${not} 7' })
      const tooLong = await bus.publish('orders.paid', 'x'.repeat(100)).catch((error: unknown) => error)
      expect(tooLong).to.have.property('code', 'PAYLOAD_TOO_LARGE')
    } finally {
      for (const name of Object.keys(env)) delete process.env[name]
    }
  })

  it('is a URL as well, and its pipeline is logged at debug when the bus starts', async () => {
    const path = await file({ redis: place.server.url, namespace: place.namespace, plugins: ['stranger'] })
    const log = new LogLines()
    await using bus = await loadBus({ config: pathToFileURL(path), service: 'ledger', logger: log.logger })
    await bus.ready()
    expect(log.items.filter(({ pipeline }) => /plugins +stranger/.test(String(pipeline)))).to.have.length(1)
  })

  describe('is refused with CONFIG_INVALID that says', () => {
    const cases: readonly (readonly [what: string, content: unknown, message: RegExp])[] = [
      [
        'which setting there is not, and the nearest',
        { namespase: 'x' },
        /has no "namespase"\. Did you mean "namespace"\?/,
      ],
      [
        'where in a service',
        { services: { ledger: { plugin: [] } } },
        /services\.ledger has no "plugin"\. Did you mean "plugins"\?/,
      ],
      ['what a setting takes', { maxPayload: 'much' }, /maxPayload: "much" is not the longest body in bytes/],
      ['what a namespace is', { namespace: 'a b' }, /namespace: "a b" is not .*1 to 100/],
      [
        'what an entry is',
        { plugins: [['./tenant.mjs', 5]] },
        /plugins\[0\]: object is not a module, or \[module, options\]/,
      ],
      [
        'which module is not there, and the nearest',
        { plugins: ['@busway/plugin-tracin'] },
        /plugins\[0\] names "@busway\/plugin-tracin", which is not there\. Did you mean "@busway\/plugin-tracing"\?/,
      ],
      ['which module is nearest of what the project depends on', { plugins: ['strangr'] }, /Did you mean "stranger"\?/],
      ['that a module is to be installed', { plugins: ['far-away-module'] }, /npm install far-away-module/],
      [
        'which file is not there',
        { plugins: ['./nowhere.mjs'] },
        /"\.\/nowhere\.mjs", which is not there\. There is no such file beside bus\.json/,
      ],
      ['that a module is none', { plugins: ['./none.mjs'] }, /plugins\[0\] \(\.\/none\.mjs\) is no plugin's module/],
      ['that a module fails', { plugins: ['./throws.mjs'] }, /"\.\/throws\.mjs" cannot be loaded: it was a bad day/],
      [
        'which option a plugin has not, and the nearest',
        { plugins: [['./tenant.mjs', { heder: 'x' }]] },
        /plugins\[0\] \(\.\/tenant\.mjs\): it has no "heder"\. Did you mean "header"\?/,
      ],
      ['what an option takes', { plugins: [['./tenant.mjs', { limit: 0 }]] }, /limit: 0 must be >= 1/],
      [
        'which values there are',
        { plugins: [['./tenant.mjs', { mode: 'strickt' }]] },
        /mode: "strickt" is none of strict, lax\. Did you mean "strict"\?/,
      ],
      [
        'that a module is named twice',
        { plugins: ['stranger', 'stranger'] },
        /plugins\[1\] names "stranger" again, as plugins\[0\] does/,
      ],
      [
        'which variable is not set',
        { redis: '${NO_SUCH_VARIABLE}' },
        /redis needs the environment variable NO_SUCH_VARIABLE, which is not set/,
      ],
      [
        'what is no variable',
        { services: { a: { redis: '${what is this}' } } },
        /services\.a\.redis has \$\{what is this\}, which is no variable/,
      ],
      ['that it is no object', [], /bus\.json: it/],
    ]
    for (const [what, content, message] of cases)
      it(what, async () => {
        await file(content)
        expect(await failure()).to.match(message)
      })

    it('all that is wrong, not the first alone', async () => {
      await file({ namespace: 'a b', maxPayload: 0, plugin: [] })
      const error = await load().catch((error: unknown) => error)
      expect((error as BuswayError).details.problems).to.have.length(3)
    })

    it('that it cannot be read, or is no JSON', async () => {
      const missing = await loadBus({ config: join(folder(), 'missing.json'), service: 'x' }).catch((e: unknown) => e)
      expect(String(missing)).to.match(/missing\.json cannot be read: ENOENT/)
      await writeFile(join(folder(), 'bus.json'), '{ "redis": }')
      expect(await failure()).to.match(/bus\.json is no JSON/)
    })
  })

  it('refuses a config that is no file, and a service without a name', async () => {
    const errors = await Promise.all(
      [
        loadBus({ config: 5 as never, service: 'x' }),
        loadBus({ config: new URL('https://example.org/x.json'), service: 'x' }),
        loadBus({ config: 'x.json' }),
      ].map((bus) => bus.catch((error: BuswayError) => error.code)),
    )
    expect(errors).to.deep.equal(['INVALID_OPTIONS', 'INVALID_OPTIONS', 'INVALID_OPTIONS'])
  })

  it('never makes anything but a CONFIG_INVALID of nonsense', async () => {
    const validate = await compileSchema(deploymentSchema, 'bus.json')
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          check(validate, structuredClone(value), 'bus.json')
        } catch (error) {
          // Of the sources, not of the package: another class of the same name.
          expect(error).to.include({ name: 'BuswayError', code: 'CONFIG_INVALID' })
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('busway.schema.json', () => {
  it('is the schema that is checked', async () => {
    const shipped = JSON.parse(await readFile(join(root, 'packages/bus/busway.schema.json'), 'utf8'))
    expect(shipped).to.deep.equal(JSON.parse(JSON.stringify(deploymentSchema)))
  })
})

/** A folder with plugins of strangers, in which a test writes its `bus.json`. */
function deployments() {
  const place = world()
  let temporary: TemporaryFolder
  beforeEach(async () => {
    temporary = await temporaryFolder()
    const stranger = join(temporary.path, 'node_modules/stranger')
    await mkdir(stranger, { recursive: true })
    const files = {
      'package.json': '{ "dependencies": { "stranger": "1.0.0" } }',
      'outer.mjs': moduleOf('outer'),
      'tenant.mjs': moduleOf('tenant', tenantOptions),
      'none.mjs': 'export default 5',
      'throws.mjs': "throw new Error('it was a bad day')",
      // A package that can only be imported.
      'node_modules/stranger/package.json': JSON.stringify({
        name: 'stranger',
        type: 'module',
        exports: { '.': { import: './plugin.js' } },
      }),
      'node_modules/stranger/plugin.js': moduleOf('stranger'),
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(temporary.path, name), text)
  })
  afterEach(() => temporary.remove())

  const load = (more: { service?: string; plugins?: readonly Plugin[]; redis?: string; namespace?: string } = {}) =>
    loadBus({ config: join(temporary.path, 'bus.json'), service: 'test', logger: false, ...more })
  return {
    place,
    folder: () => temporary.path,
    load,
    file: async (content: unknown) => {
      const path = join(temporary.path, 'bus.json')
      await writeFile(path, JSON.stringify(content))
      return path
    },
    failure: async () => {
      const error = await load().catch((error: unknown) => error)
      expect(error).to.be.instanceOf(BuswayError).with.property('code', 'CONFIG_INVALID')
      return (error as Error).message
    },
  }
}
