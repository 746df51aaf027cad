/** A handler that does what its message asks for. */
import { threadId } from 'node:worker_threads'
import { RetryAfterError, UnrecoverableError } from '@busway/bus'

export default async function run({ body, headers, attempt, time }, ctx) {
  switch (body.kind) {
    case 'where':
      return { pid: process.pid, threadId, headers, attempt, time: time instanceof Date, group: ctx.group }
    case 'spin':
      for (const until = Date.now() + Number(body.value); Date.now() < until; );
      return threadId
    case 'loop':
      for (;;);
    case 'memory': {
      const held = []
      for (;;) held.push(new Array(100_000).fill(held.length))
    }
    case 'exit':
      process.exit(3)
      return undefined
    case 'abort':
      process.abort()
      return undefined
    case 'throw':
      throw new RangeError('no such film')
    case 'throw text':
      throw 'text'
    case 'unrecoverable':
      throw new UnrecoverableError('the film is gone')
    case 'retry':
      if (attempt === 1) throw new RetryAfterError(5)
      return attempt
    case 'publish':
      await ctx.publish('films.rendered', { film: body.value }, { headers: { by: 'sandbox' } })
      return undefined
    case 'publish badly':
      return ctx.publish('films..rendered', 1).catch((error) => ({ name: error.name, code: error.code }))
    case 'log':
      ctx.log.child({ film: 7 }).warn({ frame: 1, why: new Error('torn') }, 'a frame is missing')
      ctx.log.info('text alone')
      return undefined
    case 'progress':
      ctx.progress({ percent: 50 })
      return undefined
    case 'obey':
      return new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))
    case 'ignore':
      return new Promise(() => setInterval(() => {}, 1000))
    case 'plugin': {
      const { tenant, double } = ctx
      return { tenant, doubled: await double(21) }
    }
    default:
      return body.value
  }
}
