import { runToEnd } from './bootstrap.mjs'

/**
 * Runs a program of Node with `REDIS_URL` set: to the Redis that is found, or to a private server that ends with the
 * program, whichever way it ends. Gives the program's exit code.
 */
export async function runWithRedis(args, options = {}) {
  const { describeRedis, findRedis, startRedis } = await import('@busway/testing')
  let server
  try {
    const found = await findRedis(options)
    console.error(`Using ${describeRedis(found)}.`)
    if (found.source !== 'url') server = await startRedis({ program: found })
    return await runToEnd(process.execPath, args, { ...process.env, REDIS_URL: server?.url ?? found.url })
  } catch (error) {
    console.error(error.message)
    return 1
  } finally {
    await server?.stop()
  }
}
