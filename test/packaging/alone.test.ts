import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** A package that is published, as packed. */
interface Packed {
  name: string
  folder: string
  tarball: string
  files: string[]
}

describe('the published packages, installed alone into an empty project', function () {
  this.timeout(180_000)
  let packages: Packed[]
  let temporary: TemporaryFolder
  let project: string

  before(async () => {
    temporary = await temporaryFolder()
    project = temporary.path
    await writeFile(join(project, 'package.json'), '{ "private": true }')
    const folders = ['lua', ...(await readdir(join(root, 'packages'))).map((name) => join('packages', name))]
    packages = await pack(folders, project)
    await npm(project, ['install', '--no-package-lock', ...packages.map(({ tarball }) => tarball)])
  })
  after(() => temporary.remove())

  /** Runs a program in the project. */
  async function program(file: string, text: string): Promise<string> {
    await writeFile(join(project, file), text)
    // What this process was told about loaders and coverage is not for a stranger's program.
    const { NODE_OPTIONS: _, ...env } = process.env
    const ended = await run(process.execPath, [file], { cwd: project, env, timeout: 20_000 }).catch((error) => {
      throw new Error(`${file} failed:\n${`${error.stdout}${error.stderr}`.slice(-2000)}`)
    })
    return ended.stdout.trim()
  }

  it('hold what runs, its types and the licence, and nothing else', () => {
    for (const { name, files } of packages) {
      expect(files, name).to.include.members([
        'package.json',
        'LICENSE',
        'README.md',
        'dist/index.js',
        'dist/index.d.ts',
      ])
      const strays = files.filter(
        (file) =>
          !/^(package\.json|LICENSE|README\.md|busway\.schema\.json$|dashboard\.json$|(bin|dist|lib|scripts)\/)/.test(
            file,
          ),
      )
      expect(strays, name).to.deep.equal([])
      expect(
        files.filter((file) => /tsbuildinfo|\.test\./.test(file)),
        name,
      ).to.deep.equal([])
    }
  })

  it('hold every Lua file of the repository', async () => {
    const lua = packages.find(({ name }) => name === '@busway/lua') as Packed
    const here = (await readdir(join(root, 'lua'), { recursive: true })).filter((file) => file.endsWith('.lua'))
    expect(here).not.to.deep.equal([])
    expect(lua.files.filter((file) => file.endsWith('.lua')).sort()).to.deep.equal(here.sort())
  })

  it('compose their scripts', async () => {
    const stdout = await program(
      'compose.mjs',
      `import { compose } from '@busway/lua'
       for (const { name, text, sha } of compose({ redisVersion: '7.0.15' }).all()) console.log(name, text.length > 0, sha.length)`,
    )
    expect(stdout.split('\n')).to.include.members(['publish true 40', 'advance true 40'])
    expect(stdout).not.to.match(/false/)
  })

  it('deliver a message, imported as ES modules', async () => {
    expect(
      await program(
        'deliver.mjs',
        `import { createBus } from '@busway/bus'\nimport { startRedis } from '@busway/testing'\n${DELIVER}`,
      ),
    ).to.equal('hello')
  })

  it('deliver a message, loaded with require()', async () => {
    expect(
      await program(
        'deliver.cjs',
        `const { createBus } = require('@busway/bus')\nconst { startRedis } = require('@busway/testing')\n${DELIVER}`,
      ),
    ).to.equal('hello')
  })

  it('test a handler without a bus, and wait for one that is busy', async () => {
    expect(await program('testing.mjs', TESTING)).to.equal('hello hello')
  })

  it('can each be imported and required, with the same exports', async () => {
    const names = packages.map(({ name }) => name)
    const stdout = await program(
      'each.cjs',
      `(async () => { for (const name of ${JSON.stringify(names)}) {
         const required = Object.keys(require(name)).filter((key) => key !== '__esModule' && key !== 'module.exports').sort()
         const imported = Object.keys(await import(name)).filter((key) => key !== '__esModule' && key !== 'module.exports').sort()
         console.log(name, required.length > 0, String(required) === String(imported))
       } })()`,
    )
    expect(stdout.split('\n')).to.deep.equal(names.map((name) => `${name} true true`))
  })

  it('bring types that resolve for ES modules and for CommonJS, under the strictest options', async () => {
    await installFromRoot(project, '@types/node', 'undici-types')
    const program = `async function main() {
  await using redis = await startRedis()
  const topics = defineTopics({ greetings: type<{ text: string }>() })
  await using bus = createBus({ service: 'alone', topics, redis: redis.url, logger: false })
  bus.consume('greetings', async (message) => { message.body.text.toUpperCase() })
  await bus.publish('greetings', { text: 'hello' })
  // @ts-expect-error the body is not what the topic says
  await bus.publish('greetings', { text: 1 })
  await idle(bus, ['greetings'])
  const ctx = testContext<typeof bus>({ group: 'alone' })
  await ctx.publish('greetings', testMessage<typeof bus, 'greetings'>('greetings', { text: 'hello' }).body)
  ctx.published[0]?.body.text.toUpperCase()
}
void main()
`
    const imports = `import { createBus, defineTopics, type } from '@busway/bus'\nimport { idle, startRedis, testContext, testMessage } from '@busway/testing'\n`
    await writeFile(join(project, 'types.mts'), imports + program)
    await writeFile(join(project, 'types.cts'), imports + program)
    const compilerOptions = {
      target: 'ES2023',
      lib: ['ES2023', 'ESNext.Disposable'],
      module: 'NodeNext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
    }
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['types.mts', 'types.cts'] }),
    )
    const tsc = await run(join(root, 'node_modules/.bin/tsc'), ['-p', project]).catch((error) => error)
    expect(tsc.stdout).to.equal('')
  })
})

/** The same in both module systems, so without top-level await. */
const DELIVER = `
async function main() {
  const redis = await startRedis()
  const bus = createBus({ service: 'alone', redis: redis.url, logger: { level: 'warn' } })
  const heard = new Promise((resolve) => bus.consume('greetings', (message) => resolve(message.body.text)))
  await bus.publish('greetings', { text: 'hello' })
  console.log(await heard)
  await bus.close()
  await redis.stop()
}
main()`

const TESTING = `
import { createBus } from '@busway/bus'
import { idle, startRedis, testContext, testMessage } from '@busway/testing'
const heard = []
const onGreeting = async ({ body }, ctx) => ctx.publish('heard', body.text)
const ctx = testContext()
await onGreeting(testMessage('greetings', { text: 'hello' }), ctx)
const redis = await startRedis()
const bus = createBus({ service: 'alone', redis: redis.url, logger: false })
bus.consume('greetings', onGreeting)
bus.consume('heard', ({ body }) => { heard.push(body) })
await bus.publish('greetings', { text: 'hello' })
await idle(bus)
console.log(ctx.published[0].body, heard.join())
await bus.close()
await redis.stop()
`

async function pack(folders: string[], destination: string): Promise<Packed[]> {
  const published: string[] = []
  for (const folder of folders) {
    const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
    if (!manifest.private) published.push(folder)
  }
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination]
  const stdout = await npm(root, [...args, ...published.map((folder) => `./${folder}`)])
  const packed: { name: string; filename: string; files: { path: string }[] }[] = JSON.parse(stdout)
  return packed.map(({ name, filename, files }, i) => ({
    name,
    folder: published[i] as string,
    tarball: `./${filename}`,
    files: files.map(({ path }) => path),
  }))
}

async function npm(cwd: string, args: string[]): Promise<string> {
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const { stdout } = await run('npm', [...args, ...options], { cwd, maxBuffer: 16 * 1024 * 1024 })
  return stdout
}

/** A copy of what is installed here already: what a TypeScript project has anyway. */
async function installFromRoot(project: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    const to = join(project, 'node_modules', name)
    await mkdir(join(to, '..'), { recursive: true })
    await cp(join(root, 'node_modules', name), to, { recursive: true })
  }
}
