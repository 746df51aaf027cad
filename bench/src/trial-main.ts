/** The program of a trial's process. */
import { Redis } from 'ioredis'
import { answer } from './child.js'
import { withoutRedis } from './metrics.js'
import { loadPeer, type ServerName, serverNeededBy } from './peers/index.js'
import { scenarioNamed } from './scenarios/index.js'
import { useOfProcess, useOfRedis } from './server-info.js'
import { serverOf } from './servers/index.js'
import { runTrial } from './trial.js'
import type { TrialAnswer, TrialQuestion } from './trial-process.js'

answer<TrialQuestion, TrialAnswer>((question) => {
  const server = serverNeededBy(question.peer)
  return server === undefined ? onRedis(question) : onItsOwn(server, question)
})

async function onRedis({ peer: name, scenario, ...options }: TrialQuestion): Promise<TrialAnswer> {
  const peer = await loadPeer(name)
  const redis = new Redis(options.redisUrl)
  const measurement = await runTrial(peer, scenarioNamed(scenario), () => useOfRedis(redis), options)
  await redis.quit()
  return { ...measurement, version: peer.version }
}

async function onItsOwn(server: ServerName, { peer: name, scenario, ...options }: TrialQuestion): Promise<TrialAnswer> {
  const peer = await loadPeer(name)
  const { pid } = serverOf(server)
  const measurement = await runTrial(peer, scenarioNamed(scenario), () => useOfProcess(pid), options)
  await peer.clear?.()
  const version = `${peer.version} on ${await peer.serverVersion?.()}`
  return { ...measurement, metrics: withoutRedis(measurement.metrics), version }
}
