/** The reader of deployment files, fed damaged and made-up ones. A checked deployment, or CONFIG_INVALID: anything else is a fault. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuswayError, loadBus } from '@busway/bus'
import { temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import fc from 'fast-check'
import { check, compileSchema } from '../../packages/bus/src/deployment/check.js'
import { type Deployment, deploymentSchema } from '../../packages/bus/src/deployment/deployment.js'
import { substitute } from '../../packages/bus/src/deployment/environment.js'
import { checkNamedOnce, overridden, placed } from '../../packages/bus/src/deployment/plugins.js'
import { HANG_MS, inputs, Slowest } from './effort.js'
import { mutated, mutation } from './mutations.js'

const where = 'bus.json'
const SETTINGS = ['redis', 'namespace', 'publishTimeout', 'maxPayload', 'durability', 'plugins', 'services', '$schema']
// biome-ignore lint/suspicious/noTemplateCurlyInString: a deployment file's own placeholders
const TEXTS = ['${REDIS_URL}', '${', '${A:-${B}}', '$${x}', '${A', '__proto__', 'constructor', '@busway/plugin-dedupe']

describe('the reader of deployment files', function () {
  this.timeout(300_000)
  const slowest = new Slowest()

  it('takes or refuses files that were damaged on purpose, and settings that somebody made up', async () => {
    const good = await readFile(new URL('../../services-example/deployments/production.json', import.meta.url))
    const validate = await compileSchema(deploymentSchema, where)
    /** What `loadBus` does with a text before it makes anything. */
    const judge = (text: string): 'taken' | 'refused' => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch {
        return 'refused'
      }
      try {
        const said = substitute(value, { REDIS_URL: 'redis://127.0.0.1', METRICS_PORT: '' }, where)
        check(validate, said, where)
        const { plugins, services = {} } = said as Deployment
        for (const own of [undefined, ...Object.values(services)]) {
          const lists = [placed(plugins), placed(own?.plugins)] as const
          for (const list of lists) checkNamedOnce(list, where)
          overridden(...lists)
        }
        return 'taken'
      } catch (error) {
        if ((error as BuswayError).code !== 'CONFIG_INVALID') throw error
        return 'refused'
      }
    }
    const outcomes = { taken: 0, refused: 0 }
    const damaged = fc
      .array(mutation, { minLength: 1, maxLength: 3 })
      .map((mutations) => mutations.reduce(mutated, good).toString())
    const words = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ maxLength: 20 }))
    const anything = fc.oneof(words, fc.jsonValue(), fc.array(fc.oneof(words, fc.tuple(words, fc.jsonValue()))))
    const madeUp = fc
      .dictionary(fc.oneof(fc.constantFrom(...SETTINGS), words), anything, { maxKeys: 5 })
      .map((value) => JSON.stringify(value))
    fc.assert(
      fc.property(fc.oneof(damaged, madeUp), (text) => {
        outcomes[slowest.time(() => judge(text))]++
      }),
      { numRuns: inputs(30_000) },
    )
    expect(outcomes.refused).to.be.greaterThan(inputs(30_000) / 10)
    expect(outcomes.taken).to.be.greaterThan(inputs(30_000) / 100)
    expect(slowest.ms).to.be.lessThan(HANG_MS)
  })

  it('refuses what is nested too deep, is long, or would set a prototype', async () => {
    await using folder = await temporaryFolder()
    const config = join(folder.path, where)
    const load = async (text: string) => {
      await writeFile(config, text)
      return loadBus({ config, service: 'x' }).then(
        async (bus) => {
          await bus.close()
          return 'taken'
        },
        (error: BuswayError) => error.code,
      )
    }
    const deep = (levels: number) => `{ "plugins": ${'['.repeat(levels)}${']'.repeat(levels)} }`
    expect(await load(deep(200_000))).to.equal('CONFIG_INVALID')
    expect(
      await load(`{ "plugins": [["@busway/plugin-dedupe", ${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}]] }`),
    ).to.equal('CONFIG_INVALID')
    expect(await load(JSON.stringify({ namespace: '${A'.repeat(300_000) }))).to.equal('CONFIG_INVALID')
    expect(await load('{ "__proto__": { "namespace": "theirs" } }')).to.equal('CONFIG_INVALID')
    expect(({} as { namespace?: unknown }).namespace).to.equal(undefined)
    expect(await load('{ "namespace": "mine" }')).to.equal('taken')
  })
})
