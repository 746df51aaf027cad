import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Bus, type ConsumeOptions, createBus, type Plugin } from '@busway/bus'
import { type SandboxOptions, sandbox, sandboxes } from '@busway/plugin-sandbox'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { Received } from '../support/received.js'
import { namespaceIsClean, world } from '../support/world.js'

const TOPIC = 'films.uploaded'
const module = (name: string) => new URL(`./handlers/${name}`, import.meta.url)
const kinds = module('kinds.mjs')

const extras: Plugin<'extras'> = {
  name: 'extras',
  api: 1,
  setup(scope) {
    scope.context('tenant', ({ message }) => message.headers.tenant)
    scope.context('double', () => async (n: number) => 2 * n)
  },
}

for (const isolate of ['thread', 'process'] as const) {
  describe(`a handler in a ${isolate} of its own`, function () {
    this.timeout(30_000)
    const w = world()
    /** A consumer of it, with what each message has come to. */
    const consuming = async (options: SandboxOptions = {}, consume: ConsumeOptions = {}) => {
      const bus = w.bus({ logger: w.log.logger })
      const handler = sandbox(kinds, { isolate, threads: 2, ...options })
      w.atEnd(() => handler.close())
      await bus.consume(TOPIC, handler, { retry: false, ...consume }).ready
      const settled = async (kind: string, value?: unknown, publish: object = {}) => {
        const { id } = await bus.publish(TOPIC, { kind, value }, { keepResult: '1m', ...publish })
        return bus.topic(TOPIC).settled(id, { timeout: '25s' })
      }
      return { bus, handler, settled }
    }
    const dead = async (bus: Bus) => {
      const { items } = await bus.topic(TOPIC).group('test').deadLetters()
      await bus.topic(TOPIC).group('test').purge({ state: 'dead' })
      return items
    }

    it('runs there, with all of its message, and its result comes back', async () => {
      const { settled, bus } = await consuming()
      const { result } = await settled('where', undefined, { headers: { tenant: 'acme' } })
      expect(result).to.deep.include({ headers: { tenant: 'acme' }, attempt: 1, time: true, group: 'test' })
      const { pid, threadId } = result as { pid: number; threadId: number }
      if (isolate === 'process') expect(pid).to.not.equal(process.pid)
      else expect([pid === process.pid, threadId > 0]).to.deep.equal([true, true])
      await bus.close()
      await namespaceIsClean(w.redis, w.namespace)
    })

    it('leaves the event loop free: leases are renewed while it computes, and nothing runs twice', async () => {
      const { settled, bus } = await consuming({ threads: 1 }, { lease: 300 })
      const other = w.bus()
      await other.consume(TOPIC, () => 'elsewhere', { lease: 300, concurrency: 1 }).ready
      const results = await Promise.all([1, 2].map(() => settled('spin', 450)))
      expect(new Set(results.map(({ outcome }) => outcome))).to.deep.equal(new Set(['done']))
      expect((await bus.topic(TOPIC).group('test').stats()).dead).to.equal(0)
    })

    it('has its context: publishes with the settle, logs, says its progress', async () => {
      const { settled, bus } = await consuming()
      const rendered = new Received<object>()
      await bus.consume('films.rendered', ({ body, headers }) => rendered.add({ body, headers })).ready
      await settled('publish', 'a')
      expect(await rendered.count(1)).to.deep.equal([{ body: { film: 'a' }, headers: { by: 'sandbox' } }])
      expect((await settled('publish badly')).result).to.deep.equal({ name: 'BuswayError', code: 'INVALID_TOPIC' })
      await settled('log')
      const line = await w.log.first(({ msg }) => msg === 'a frame is missing')
      expect(line).to.deep.include({ film: 7, frame: 1, topic: TOPIC, attempt: 1 })
      expect(line).to.have.nested.property('why.message', 'torn')
      const progress = new Received<unknown>()
      const events = bus.events(TOPIC)
      const listening = (async () => {
        for await (const event of events) if (event.type === 'progress') progress.add(event.value)
      })()
      await eventually(w, 'somebody to watch', async () =>
        (await w.redis.hget(`${w.namespace}:{${TOPIC}}:meta`, 'watched')) === null ? undefined : true,
      )
      await settled('progress')
      expect(await progress.count(1)).to.deep.equal([{ percent: 50 }])
      await bus.close()
      await listening
    })

    it('has what plugins put on the context, values and functions', async () => {
      const { server, namespace } = w
      const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, plugins: [extras] })
      w.atEnd(() => bus.close())
      const handler = sandbox(kinds, { isolate, threads: 1 })
      w.atEnd(() => handler.close())
      await bus.consume(TOPIC, handler).ready
      const { id } = await bus.publish(TOPIC, { kind: 'plugin' }, { headers: { tenant: 'acme' }, keepResult: '1m' })
      expect((await bus.topic(TOPIC).settled(id)).result).to.deep.equal({ tenant: 'acme', doubled: 42 })
    })

    it('fails with what it throws, and what that means to the bus it means still', async () => {
      const { settled, bus } = await consuming()
      const thrown = await settled('throw')
      expect(thrown.error).to.include({ name: 'RangeError', message: 'no such film' })
      expect((await dead(bus))[0]?.error.stack).to.contain('kinds.mjs')
      expect((await settled('throw text')).error).to.include({ message: 'text' })
      await settled('unrecoverable')
      expect((await dead(bus)).map(({ reason }) => reason)).to.include('unrecoverable')
    })

    it('is tried again after the time that it asks for', async () => {
      const { settled } = await consuming({}, { retry: { attempts: 2, delay: '1h', maxDelay: '1h' } })
      expect((await settled('retry')).result).to.equal(2)
    })

    for (const [what, kind, options] of [
      ['exits', 'exit', {}],
      ['runs out of memory', 'memory', { memoryLimit: 32 }],
      ...(isolate === 'process' ? ([['crashes', 'abort', {}]] as const) : []),
    ] as const) {
      it(`that ${what} is a failed attempt, and the next message finds another`, async () => {
        const { settled, bus } = await consuming({ threads: 1, ...options })
        const ended = await settled(kind)
        expect(ended.outcome).to.equal('dead')
        const [letter] = await dead(bus)
        expect(letter?.error.message).to.contain('The sandbox ended before its handler had')
        expect(letter?.crashes, 'the service has not crashed').to.equal(0)
        expect((await settled('echo', 7)).result).to.equal(7)
      })
    }

    it('that never ends is ended at its timeout', async () => {
      const { settled, bus } = await consuming({ threads: 1, timeout: 400 })
      const ended = await settled('loop')
      expect(ended.error?.message).to.contain('ran longer than 400 ms')
      expect((await settled('echo', 7)).result).to.equal(7)
      await dead(bus)
    })

    it('is told when its signal is aborted, and ended a while later if it goes on', async () => {
      const { bus, settled } = await consuming({ threads: 1, grace: 200 })
      for (const kind of ['obey', 'ignore', 'loop']) {
        const { id } = await bus.publish(TOPIC, { kind })
        const end = bus.topic(TOPIC).settled(id, { timeout: '20s' })
        await eventually(w, 'it to be in flight', async () =>
          (await bus.topic(TOPIC).group('test').stats()).inFlight === 1 ? true : undefined,
        )
        await bus.topic(TOPIC).cancel(id, { inFlight: true })
        expect((await end).outcome, kind).to.equal('cancelled')
      }
      expect((await settled('echo', 7)).result).to.equal(7)
      await dead(bus)
    })

    it('waits for a free one where more run than there are, for which no time counts', async () => {
      const { settled } = await consuming({ threads: 1, timeout: 1000 }, { concurrency: 4 })
      const results = await Promise.all([1, 2, 3, 4].map(() => settled('spin', 300)))
      expect(new Set(results.map(({ outcome }) => outcome))).to.deep.equal(new Set(['done']))
    })

    it('is opened once in each, and closed with the sandbox', async () => {
      const file = join(tmpdir(), `sandbox-${process.pid}-${isolate}.txt`)
      w.atEnd(() => rm(file, { force: true }))
      const { server, namespace } = w
      const plugins = [sandboxes()] as const
      const bus = createBus({ service: 'test', redis: server.url, namespace, logger: false, plugins })
      const handler = sandbox(module('opened.ts'), { isolate, threads: 1 })
      await bus.consume(TOPIC, handler).ready
      for (const _ of [1, 2, 3]) {
        const { id } = await bus.publish(TOPIC, { file }, { keepResult: '1m' })
        expect((await bus.topic(TOPIC).settled(id)).result).to.equal(1)
      }
      await bus.close()
      expect((await readFile(file, 'utf8')).trim().split('\n')).to.deep.equal(['run', 'run', 'run', 'close'])
    })

    it('can be plain JavaScript; a module without a handler says what is missing', async () => {
      const bus = w.bus()
      const plain = sandbox(fileURLToPath(module('plain.mjs')), { isolate, threads: 1 })
      const nothing = sandbox(module('nothing.mjs'), { isolate, threads: 1 })
      w.atEnd(() => Promise.all([plain.close(), nothing.close()]))
      await bus.consume('plain', plain).ready
      await bus.consume('nothing', nothing, { retry: false }).ready
      const { id } = await bus.publish('plain', 21, { keepResult: '1m' })
      expect((await bus.topic('plain').settled(id)).result).to.equal(42)
      const failed = await bus.publish('nothing', 1)
      expect((await bus.topic('nothing').settled(failed.id)).error?.message).to.contain('exports no handler')
    })

    it('keeps no program running, once its bus is closed', async () => {
      const env = { ...process.env, REDIS: w.server.url, NAMESPACE: w.namespace, ISOLATE: isolate }
      const program = fileURLToPath(new URL('./program.ts', import.meta.url))
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], {
        env,
        timeout: 25_000,
      })
      expect(stdout).to.equal('result 7\n')
    })
  })
}

describe('a sandbox', () => {
  it('is refused with options that it does not know', () => {
    const wrong: [string, object][] = [
      ['isolate', { isolate: 'vm' }],
      ['threads', { threads: 0 }],
      ['memoryLimit', { memoryLimit: '1g' }],
      ['timeout', { timeout: 0 }],
      ['grace', { grace: -1 }],
      ['thread', { thread: 2 }],
    ]
    for (const [option, options] of wrong) expect(() => sandbox(kinds, options as never), option).to.throw(option)
    expect(() => sandbox('' as never)).to.throw('url')
  })
})
