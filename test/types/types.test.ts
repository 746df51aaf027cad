import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const tsc = here('../../node_modules/.bin/tsc')

interface Checked {
  readonly code: number
  readonly output: string
}

const check = (...args: string[]): Promise<Checked> =>
  new Promise((resolve) => {
    execFile(tsc, [...args, '--pretty', 'false'], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })

/** The lines of the wrong program at which the checker complains. */
const complaints = ({ output }: Checked): Set<number> =>
  new Set([...output.matchAll(/program\.ts\((\d+),\d+\): error TS/g)].map(([, line]) => Number(line)))

describe('the types of the built package', function () {
  this.timeout(60_000)

  it('let through what must compile, and nothing that must not', async () => {
    // Each @ts-expect-error without an error is an error itself.
    const { code, output } = await check('-p', here('tsconfig.json'))
    expect(output.trim()).to.equal('')
    expect(code).to.equal(0)
  })

  it('can be named in the declarations of a library that exports topics, handlers and buses', async () => {
    const { output } = await check('-p', here('tsconfig.json'), '--declaration')
    expect(output.trim()).to.equal('')
  })

  it('make the checker complain about every line of a wrong program', async () => {
    const lines = (await readFile(here('wrong/program.ts'), 'utf8')).split('\n')
    const first = lines.findIndex((line) => line.startsWith('bus.publish')) + 1
    const wrong = lines.flatMap((line, index) => (index + 1 >= first && line !== '' ? [index + 1] : []))
    const checked = await check('-p', here('wrong/tsconfig.json'))
    expect(checked.code).to.not.equal(0)
    expect([...complaints(checked)].sort((a, b) => a - b)).to.deep.equal(wrong)
  })
})
