import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { deadline } from '../support/deadline.js'
import { world } from '../support/world.js'

/** Runs a program of its own and resolves with its exit code and output. */
async function run(source: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  try {
    const [code] = await deadline(once(child, 'exit'), 15_000, () => `the program to exit; it said ${output}`)
    return { code, output }
  } finally {
    child.kill('SIGKILL')
  }
}

describe('a program', function () {
  this.timeout(30_000)
  const w = world()
  const bus = (options = '') =>
    `import { createBus } from '@busway/bus'
    const bus = createBus({ service: 'once', namespace: '${w.namespace}', redis: '${w.server.url}', logger: false, ${options} })`

  it('that only publishes exits by itself, without close, once its publishes are answered', async () => {
    const { code, output } = await run(`${bus()}
      for (let n = 0; n < 3; n++) void bus.publish('orders.paid', n).then(({ status }) => console.log(status))`)
    expect(code).to.equal(0)
    expect(output.match(/accepted/g)).to.have.length(3)
  })

  it('has none of its promises followed by Node once its plugins have started', async () => {
    // A promise that is followed has a number; on Node 24 none has, whoever follows it.
    const plugin = `{ name: 'warm', api: 1, setup: (scope) => scope.ready(async () => tell('within')) }`
    const { output } = await run(`import { executionAsyncId } from 'node:async_hooks'
      const tell = async (when) => {
        await new Promise((resolve) => setImmediate(resolve))
        await null
        console.log(when, executionAsyncId() > 0 ? 'followed' : 'not')
      }
      ${bus(`plugins: [${plugin}]`)}
      await bus.ready()
      await tell('then')
      await bus.close()`)
    expect(output).to.match(/^within (followed|not)\nthen not\n$/)
  })

  it('that waits for a publish while Redis is away lives until it knows', async () => {
    const { code, output } = await run(`${bus("redis: 'redis://127.0.0.1:1', publishTimeout: '1s'")}
      bus.publish('orders.paid', 1).catch(({ code }) => console.log(code))`)
    expect(code).to.equal(0)
    expect(output).to.include('REDIS_UNAVAILABLE')
  })

  it('that only asks exits by itself, without close, once it is answered or nobody answers in time', async () => {
    w.bus().consume('orders.price', ({ body }) => `price of ${body}`)
    const { code, output } = await run(`${bus()}
      console.log(await bus.request('orders.price', 7))
      await bus.request('nobody', 1, { timeout: 50 }).catch(({ code }) => console.log(code))`)
    expect(code).to.equal(0)
    expect(output).to.equal('price of 7\nREQUEST_TIMEOUT\n')
  })

  it('that consumes runs until it closes', async () => {
    const { code, output } = await run(`${bus()}
      bus.consume('orders.paid', async () => { console.log('got it'); setTimeout(() => bus.close(), 500) })
      void bus.publish('orders.paid', 1)`)
    expect(code).to.equal(0)
    expect(output).to.include('got it')
  })
})
