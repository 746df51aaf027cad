/** docs/from-bullmq.md leaves out nothing that BullMQ has, as its own declarations say. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { root } from './pages.js'

const CLASSES = [
  'queue-base',
  'queue-getters',
  'queue',
  'worker',
  'job',
  'queue-events',
  'queue-events-producer',
  'flow-producer',
  'job-scheduler',
]
const OPTIONS = ['interfaces/worker-options', 'interfaces/base-job-options', 'types/job-options']
/** `queue.d.ts` and the like declare one class; its members are indented by four. */
const METHOD = /^ {4}(?:static |async |get |set )*([a-zA-Z]\w*)(?:<[^(]*>)?\(/gm
const OPTION = /^ {4}([a-zA-Z]\w*)\??:/gm

describe('docs/from-bullmq.md', () => {
  const declarations = join(dirname(createRequire(join(root, 'bench/package.json')).resolve('bullmq')), '../esm')
  const read = (path: string) => readFileSync(join(declarations, `${path}.d.ts`), 'utf8')
  const page = readFileSync(join(root, 'docs/from-bullmq.md'), 'utf8')
  const named = new Set(
    [...page.replaceAll(/```.*?```/gs, '').matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split(/[^\w]+/)),
  )
  const missing = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'constructor' && !named.has(name))

  for (const name of CLASSES)
    it(`has every public method of ${name}`, () => {
      const text = read(`classes/${name}`)
      expect([...text.matchAll(METHOD)].length, 'methods that were found').to.be.at.least(1)
      expect(missing(text, METHOD)).to.deep.equal([])
    })

  for (const path of OPTIONS)
    it(`has every option of ${path.split('/')[1]}`, () => {
      const text = read(path)
      expect([...text.matchAll(OPTION)].length, 'options that were found').to.be.at.least(1)
      expect(missing(text, OPTION)).to.deep.equal([])
    })
})
