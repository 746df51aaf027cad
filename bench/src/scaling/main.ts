/** `npm run bench:scaling`: the figures of docs/scaling.md, on clusters of their own. */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { replaceBetween } from '../docs.js'
import { describeEnvironment } from '../environment.js'
import { startMasters } from './masters.js'
import { measure } from './measure.js'
import { PLANNED, report } from './report.js'

const PAGE = new URL('../../../docs/scaling.md', import.meta.url)
const START = '<!-- scaling:start (written by `npm run bench:scaling -- --write-docs`; do not edit) -->'
const END = '<!-- scaling:end -->'

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '200000' }, 'write-docs': { type: 'boolean', default: false } },
})
const messages = Number(values.messages)
if (!Number.isInteger(messages) || messages < 1_000) throw new Error('--messages takes a whole number from 1000')

const environment = await heading()
const scaling = await measure(messages, (text) => console.error(text))
const text = `${environment}\n\n${report(scaling)}`
console.log(text)
if (values['write-docs']) await writeFile(PAGE, replaceBetween(await readFile(PAGE, 'utf8'), START, END, text))

async function heading(): Promise<string> {
  const masters = await startMasters(1)
  const redis = new Redis(masters.cluster.nodes[0]?.url as string)
  try {
    const { date, cpus, cpu, node, redis: version, revision, loadBefore } = await describeEnvironment(redis)
    return `${date.slice(0, 10)}, ${cpus} CPUs (${cpu}), node ${node.slice(1)}, Redis ${version}, revision ${revision}, a load of ${loadBefore} before, 208-byte bodies, ${messages.toLocaleString('en')} messages a measurement, a fifth of that with keys. "Planned" is a master's core used to ${PLANNED * 100} %.`
  } finally {
    redis.disconnect()
    await masters.close()
  }
}
