/**
 * Every `ts` block of README and docs is a whole program: it is type-checked, run against a Redis of its own, and must end by
 * itself. A block headed `ts no-run` is only type-checked; one headed `ts fragment` is neither, and should be rare.
 */
import { execFile } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startRedis, type TemporaryFolder, temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { readPages, root, type Snippet, snippetsOf } from './pages.js'

const run = promisify(execFile)
const MODES = ['', 'no-run', 'fragment']
const RUN_TIMEOUT_MS = 20_000

const snippets = readPages().flatMap(snippetsOf)
const programs = snippets.filter(({ language, mode }) => language === 'ts' && mode !== 'fragment')

describe('the snippets of README and docs', function () {
  this.timeout(60_000)
  let folder: TemporaryFolder
  let typeErrors: string

  before(async () => {
    folder = await temporaryFolder()
    await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'))
    await writeFile(join(folder.path, 'package.json'), JSON.stringify({ type: 'module' }))
    await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify(tsconfig))
    for (const snippet of programs) await writeFile(join(folder.path, fileOf(snippet)), textOf(snippet))
    typeErrors = programs.length > 0 ? await typeCheck(folder.path) : ''
  })
  after(() => folder.remove())

  it('are headed by modes that exist', () => {
    const unknown = snippets.filter(({ language, mode }) =>
      language === 'ts' ? !MODES.includes(mode) : ['typescript', 'js', 'javascript'].includes(language),
    )
    expect(unknown.map(({ page, line }) => `${page}:${line}`)).to.deep.equal([])
  })

  for (const snippet of programs) {
    const runs = snippet.mode === ''
    it(`${snippet.page}:${snippet.line} ${runs ? 'compiles and runs' : 'compiles'}`, async () => {
      const own = typeErrors.split('\n').filter((line) => line.startsWith(fileOf(snippet)))
      expect(own.join('\n')).to.equal('')
      if (!runs) return
      await using redis = await startRedis()
      const env = { ...process.env, REDIS_URL: redis.url }
      const args = ['--import', 'tsx', join(folder.path, fileOf(snippet))]
      await run(process.execPath, args, { cwd: folder.path, env, timeout: RUN_TIMEOUT_MS }).catch((error) => {
        const how = error.killed ? `did not end within ${RUN_TIMEOUT_MS} ms` : `ended with code ${error.code}`
        throw new Error(`${how}:\n${`${error.stdout}${error.stderr}`.slice(-2000)}`)
      })
    })
  }
})

describe('the commands in README and docs', () => {
  it('exist', async () => {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
    const npmCommands = ['ci', 'install', 'pack', 'publish', 'view']
    for (const { page, line, text } of snippets.filter(({ language }) => language === 'sh'))
      for (const [, run, name = ''] of text.matchAll(/\bnpm (run )?([\w:-]+)/g))
        if (run || !npmCommands.includes(name)) expect(manifest.scripts, `${page}:${line}`).to.have.property(name)
  })
})

const tsconfig = {
  extends: join(root, 'tsconfig.base.json'),
  compilerOptions: {
    composite: false,
    declaration: false,
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    types: ['node'],
  },
  include: ['.'],
}

function fileOf({ page, line }: Snippet): string {
  return `${page.replaceAll('/', '-')}-${line}.ts`
}

/** Pushed down to the line that it has in its page, so that errors name that line. */
function textOf({ line, text }: Snippet): string {
  return '\n'.repeat(line) + text
}

async function typeCheck(folder: string): Promise<string> {
  const tsc = join(root, 'node_modules/.bin/tsc')
  return run(tsc, ['-p', '.', '--pretty', 'false'], { cwd: folder }).then(
    () => '',
    (error) => error.stdout as string,
  )
}
