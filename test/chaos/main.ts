/** The program behind `npm run test:chaos`. */
import { parseArgs } from 'node:util'
import { canStrike, faults, mixed } from './faults/index.js'
import { runChaos, summary } from './run.js'
import { TOPOLOGIES } from './sites/site.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: 'string', default: '1' },
    topology: { type: 'string', default: 'standalone' },
    durability: { type: 'string' },
    fault: { type: 'string', multiple: true },
  },
})
const seed = Number(values.seed)
const minutes = Number(values.minutes)
if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`--seed is a whole number, not ${values.seed}`)
if (!(minutes > 0)) throw new RangeError(`--minutes is a number above 0, not ${values.minutes}`)
const topology = TOPOLOGIES.find((one) => one === values.topology)
if (topology === undefined)
  throw new RangeError(`--topology is one of ${TOPOLOGIES.join(', ')}, not ${values.topology}`)
const durabilities: Readonly<Record<string, boolean>> = { memory: false, replicas: true }
const isDurable = durabilities[values.durability ?? (topology === 'standalone' ? 'memory' : 'replicas')]
if (isDurable === undefined) throw new RangeError(`--durability is memory or replicas, not ${values.durability}`)
const named = (name: string) => {
  const fault = faults.find((one) => one.name === name)
  if (!fault) throw new RangeError(`no fault is called ${name}; there are ${faults.map((one) => one.name).join(', ')}`)
  if (!canStrike(fault, topology)) throw new RangeError(`${name} strikes on ${fault.topologies?.join(' and ')} only`)
  return fault
}
const chosen = values.fault?.map(named) ?? mixed(seed, topology)
const names = [...new Set(chosen)].map(({ name }) => name).join(', ')
const publishes = isDurable ? ', publishes confirmed by a replica' : ''

console.log(`Seed ${seed}, ${minutes} minutes, ${topology}${publishes}, faults: ${names}.`)
const { problems, history, folder } = await runChaos({
  seed,
  seconds: minutes * 60,
  topology,
  isDurable,
  faults: chosen,
})
console.log(summary(history))
if (folder !== undefined) {
  const SHOWN = 20
  for (const problem of problems.slice(0, SHOWN)) console.log(`- ${problem}`)
  if (problems.length > SHOWN) console.log(`and ${problems.length - SHOWN} more.`)
  console.log(`Promises were broken. History and seed are in ${folder}.`)
  process.exitCode = 1
} else console.log('Every promise was kept.')
