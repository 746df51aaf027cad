import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBus, defineTopics, loadBus } from '@busway/bus'
import { avro, type Compatibility, type SchemaOptions, type SchemaVersion, schema } from '@busway/plugin-schema'
import { temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { conflicts } from '../../packages/plugin-schema/src/schema/compatibility.js'
import { parseSchema } from '../../packages/plugin-schema/src/schema/parse.js'
import { root } from '../docs/pages.js'
import { refusal } from '../plugins/refusal.js'
import { world as makeWorld } from '../support/world.js'
import { bare, record } from './equipped.js'

const id = { name: 'id', type: 'string' }
interface SchemaBus {
  ready(): Promise<void>
  schemas: {
    versions(topic: string): Promise<SchemaVersion[]>
    compatibility(topic: string): Promise<Compatibility>
  }
}
const PROCESSES = 4
const EACH = 5

describe('registering', function () {
  this.timeout(60_000)
  const world = makeWorld()

  /** What became of each schema, and the versions in their order. */
  async function raced(mode: Compatibility, schemaOf: (n: number) => object) {
    const env = { ...process.env, REDIS: world.server.url, NAMESPACE: world.namespace, COMPATIBILITY: mode }
    const children = await Promise.all(
      Array.from({ length: PROCESSES }, async (): Promise<ChildProcess> => {
        const child = fork(new URL('./registrar.ts', import.meta.url), { env, execArgv: ['--import', 'tsx'] })
        world.atEnd(() => child.kill('SIGKILL'))
        await once(child, 'message')
        return child
      }),
    )
    const outcomes = await Promise.all(
      children.map(async (child, i) => {
        const answer = once(child, 'message')
        child.send(Array.from({ length: EACH }, (_, k) => schemaOf(i * EACH + k)))
        return (await answer)[0] as string[]
      }),
    )
    const bus = bare(world, [schema()]) as never as { schemas: { versions(topic: string): Promise<SchemaVersion[]> } }
    return { outcomes: outcomes.flat(), versions: (await bus.schemas.versions('orders')).reverse() }
  }

  it('by many processes at once makes one version of one schema', async () => {
    const { outcomes, versions } = await raced('FULL', () => record('Order', id))
    expect(new Set(outcomes)).to.deep.equal(new Set(['ready']))
    expect(versions.map(({ version }) => version)).to.deep.equal([1])
  })

  it('by many processes at once loses none and gives each a version of its own', async () => {
    const { outcomes, versions } = await raced('NONE', (n) => record('Order', { name: `f${n}`, type: 'int' }))
    expect(new Set(outcomes)).to.deep.equal(new Set(['ready']))
    expect(versions.map(({ version }) => version)).to.deep.equal(outcomes.map((_, i) => i + 1))
    expect(new Set(versions.map(({ fingerprint }) => fingerprint)).size).to.equal(PROCESSES * EACH)
  })

  it('by many processes at once lets nothing in that the version before it does not allow', async () => {
    // Without a default, a field must have been in the version before.
    const { outcomes, versions } = await raced('BACKWARD', (n) =>
      record('Order', id, { name: `f${n % 4}`, type: n < 4 ? 'int' : 'long', ...(n % 3 === 0 ? {} : { default: 0 }) }),
    )
    expect(new Set(outcomes)).to.deep.equal(new Set(['ready', 'CONFIG_INVALID']))
    for (let i = 1; i < versions.length; i++) {
      const [next, before] = [versions[i], versions[i - 1]].map((each) =>
        parseSchema(JSON.parse((each as SchemaVersion).schema)),
      ) as [never, never]
      expect(conflicts(next, before), `version ${i + 1}`).to.deep.equal([])
    }
  })

  it('reads back more versions than one call gives, and compares all of them', async () => {
    const of = (n: number) => avro(record('Order', id, { name: `f${n}`, type: 'int', default: 0 }))
    const options = (n: number, mode: Compatibility) => ({
      topics: defineTopics({ orders: of(n) }),
      plugins: [schema({ compatibility: mode })],
    })
    for (let n = 0; n < 45; n++) {
      await using bus = createBus({
        service: 'test',
        redis: world.server.url,
        namespace: world.namespace,
        logger: false,
        ...options(n, 'BACKWARD_TRANSITIVE'),
      })
      await bus.ready()
    }
    const bus = bare(world, [schema()]) as never as { schemas: { versions(topic: string): Promise<SchemaVersion[]> } }
    const versions = await bus.schemas.versions('orders')
    expect(versions.map(({ version }) => version)).to.deep.equal(Array.from({ length: 45 }, (_, i) => 45 - i))
    const wrong = bare(world, [schema({ compatibility: 'BACKWARD_TRANSITIVE' })], {
      topics: defineTopics({ orders: avro(record('Order', { name: 'id', type: 'int' })) }),
    })
    const error = await refusal(() => wrong.ready())
    expect((error.details.problems as string[]).length).to.equal(45)
  })

  it('is by what the deployment file says, which is checked', async () => {
    const folder = await temporaryFolder()
    world.atEnd(() => folder.remove())
    await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'))
    const config = join(folder.path, 'busway.json')
    const deployed = async (options: object, field: object) => {
      const { server, namespace } = world
      const plugins = [['@busway/plugin-schema', options]]
      await writeFile(config, JSON.stringify({ redis: server.url, namespace, plugins }))
      const topics = defineTopics({ orders: avro(record('Order', field)) })
      const bus = await loadBus({ config, service: 'test', topics, logger: false })
      world.atEnd(() => bus.close())
      await bus.ready()
    }
    await deployed({ compatibility: 'FULL' }, { name: 'id', type: 'int' })
    expect((await refusal(() => deployed({}, { name: 'id', type: 'string' }))).message).to.contain('FULL compatible')
    await deployed({ topics: { orders: 'NONE' } }, { name: 'id', type: 'string' })
    const error = await refusal(() => deployed({ compatibility: 'UP' }, id))
    expect([error.code, /compatibility/.test(error.message)]).to.deep.equal(['CONFIG_INVALID', true])
  })

  describe('keeps the compatibility that a bus names', () => {
    const registered = async (fields: object | object[], options: SchemaOptions = {}) => {
      const topics = defineTopics({ orders: avro(record('Order', id, ...[fields].flat())) })
      const bus = bare(world, [schema(options)], { topics }) as never as SchemaBus
      await bus.ready()
      return bus.schemas.compatibility('orders')
    }
    const required = (name: string) => ({ name, type: 'int' })
    const defaulted = (name: string) => ({ name, type: 'int', default: 0 })

    it('for all that name none', async () => {
      expect(await registered(required('a'))).to.equal('BACKWARD')
      expect(await registered(required('a'), { compatibility: 'FORWARD' })).to.equal('FORWARD')
      // BACKWARD would refuse this one, and take that.
      expect(await registered([required('a'), required('b')])).to.equal('FORWARD')
      expect((await refusal(() => registered(defaulted('c')))).message).to.contain('FORWARD compatible')
    })

    it('until another names another, and warns of it', async () => {
      await registered(required('a'), { compatibility: 'NONE' })
      await registered(required('b'))
      expect(world.log.items.filter(({ level }) => level === 40)).to.deep.equal([])
      await registered(required('b'), { topics: { orders: 'FULL' } })
      expect(world.log.items.filter(({ level }) => level === 40)).to.have.length(1)
      expect(await refusal(() => registered(required('c')))).to.have.property('code', 'CONFIG_INVALID')
    })

    it('only with a schema that it allows', async () => {
      await registered(required('a'))
      await refusal(() => registered(required('b'), { compatibility: 'FULL' }))
      expect(await registered(defaulted('b'))).to.equal('BACKWARD')
    })

    it('whoever registers meanwhile: all versions are as the mode that held asks for', async () => {
      const names = Array.from({ length: 20 }, (_, n) => `f${n}`)
      const outcomes = await Promise.allSettled(
        names.map((name, n) => registered(required(name), n === 10 ? { compatibility: 'NONE' } : {})),
      )
      // Without a default nobody else gets in: but for the first, those that came behind the one that asked for nothing.
      const versions = await (bare(world, [schema()]) as never as SchemaBus).schemas.versions('orders')
      expect(versions.length).to.equal(outcomes.filter(({ status }) => status === 'fulfilled').length)
      const at = versions.findIndex(({ schema: text }) => text.includes('"f10"'))
      expect(versions.length - 1 - at, 'before the change').to.be.oneOf([0, 1])
    })
  })

  it('refuses replies that JSON cannot carry', async () => {
    const instant = { type: 'long', logicalType: 'timestamp-millis' }
    const bus = bare(world, [schema()], {
      topics: defineTopics({
        fares: { body: avro('string'), reply: avro(record('Fare', { name: 'at', type: instant })) },
      }),
    })
    const error = await refusal(() => bus.ready())
    expect([error.code, error.message]).to.deep.equal([
      'CONFIG_INVALID',
      'The reply of fares has long (timestamp-millis), and replies travel as JSON, which has none of it. Use strings or numbers there.',
    ])
  })
})
