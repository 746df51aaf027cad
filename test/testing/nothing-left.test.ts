import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { temporaryFolder } from '@busway/testing'
import { expect } from 'chai'
import { untilGone } from './left-behind.js'

/** What the programs print when their server is up. */
interface Started {
  pid: number
  dir: string
}

const START = `
import { startRedis } from '@busway/testing'
const server = await startRedis()
process.stdout.write(JSON.stringify({ pid: server.pid, dir: server.dir }) + '\\n')
`
const STAY = 'setInterval(() => {}, 1000)'

describe('a program that started a private Redis leaves no process and no folder behind', () => {
  const children: ChildProcess[] = []
  after(() => {
    for (const child of children) child.kill('SIGKILL')
  })

  /** Runs a program to the point where its server is up, in a process group of its own as a shell would. */
  async function program(rest: string, env: NodeJS.ProcessEnv = process.env) {
    const args = ['--input-type=module', '--eval', START + rest]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true, env })
    children.push(child)
    const ended = new Promise<number | string | null>((resolve) =>
      child.on('exit', (code, signal) => resolve(signal ?? code)),
    )
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const { value, done } = await lines.next()
    if (done) throw new Error('the program ended before its server was up')
    return { child, ended, lines, started: JSON.parse(value) as Started }
  }

  it('when it stops the server and ends', async () => {
    const { ended, started } = await program('await server.stop()')
    expect(await ended).to.equal(0)
    await untilGone(started)
  })

  it('when it forgets the server, which does not keep it from ending', async () => {
    const { ended, started } = await program('')
    expect(await ended).to.equal(0)
    await untilGone(started)
  })

  it('when it fails', async () => {
    const { ended, started } = await program("throw new Error('failed')")
    expect(await ended).to.equal(1)
    await untilGone(started)
  })

  it('when it exits in the middle of something', async () => {
    const { ended, started } = await program('server.restart(); process.exit(3)')
    expect(await ended).to.equal(3)
    await untilGone(started)
  })

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`on ${signal}`, async () => {
      const { child, ended, started } = await program(STAY)
      child.kill(signal)
      expect(await ended).to.equal(signal)
      await untilGone(started)
    })

    it(`on ${signal} to its whole process group, as a terminal sends it`, async () => {
      const { child, ended, started } = await program(STAY)
      process.kill(-(child.pid as number), signal)
      expect(await ended).to.equal(signal)
      await untilGone(started)
    })
  }

  it('on SIGKILL while the server is paused, and while it is killed', async () => {
    for (const state of ['pause', 'kill']) {
      const { child, ended, lines, started } = await program(`await server.${state}(); console.log('done'); ${STAY}`)
      await lines.next()
      child.kill('SIGKILL')
      await ended
      await untilGone(started)
    }
  })

  it('when the server does not start, at once', async () => {
    await using temporary = await temporaryFolder()
    const folder = temporary.path
    const script = `
import { readdirSync } from 'node:fs'
import { startRedis } from '@busway/testing'
await startRedis({ args: ['--no-such-option', 'x'] }).catch((error) => console.log(error.message.split('\\n')[0]))
console.log(JSON.stringify(readdirSync(process.env.TMPDIR)))`
    const env = { ...process.env, TMPDIR: folder }
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env })
    expect(stdout).to.match(/ended with code 1 before it was ready:\n\[\]\n$/)
  })

  it('on SIGKILL at any moment of its start', async () => {
    await using temporary = await temporaryFolder()
    const folder = temporary.path
    const args = ['--input-type=module', '--eval', `${START}${STAY}`]
    const env = { ...process.env, TMPDIR: folder }
    const whenUp = await timeToStart(args, env)
    for (let step = 0; step <= 10; step++) {
      const child = spawn(process.execPath, args, { stdio: 'ignore', env })
      children.push(child)
      setTimeout(() => child.kill('SIGKILL'), (whenUp * (10 + step)) / 20)
      await new Promise((resolve) => child.on('exit', resolve))
    }
    await untilEmpty(folder)
  })
})

async function timeToStart(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const begin = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], env })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  return performance.now() - begin
}

/** The watchers of killed programs are at work a moment longer. */
async function untilEmpty(folder: string): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const left = await readdir(folder)
    if (left.length === 0) return
    if (Date.now() > deadline) throw new Error(`still there: ${left.join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
