/** The program of a trial's process. */
import { Redis } from 'ioredis'
import { answer } from './child.js'
import { loadPeer } from './peers/index.js'
import { scenarioNamed } from './scenarios/index.js'
import { runTrial } from './trial.js'
import type { TrialAnswer, TrialQuestion } from './trial-process.js'

answer<TrialQuestion, TrialAnswer>(async ({ peer: name, scenario, ...options }) => {
  const peer = await loadPeer(name)
  const redis = new Redis(options.redisUrl)
  const measurement = await runTrial(peer, scenarioNamed(scenario), redis, options)
  await redis.quit()
  return { ...measurement, version: peer.version }
})
