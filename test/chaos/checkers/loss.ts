import { of } from '../history.js'
import type { Checker } from './checker.js'

/** L: what was published is, in every group of its topic, settled or still stored, but for what the server lost of its own and somebody was told of, and for messages of flows that failed, or of which a master forgot what others went by. */
export const loss: Checker = (reading) => {
  const { history, runs } = reading
  const final = new Set<string>()
  for (const run of runs)
    if (reading.isFinal(run) || reading.mayBeFinal(run)) final.add(`${run.topic} ${run.group} ${run.name}`)
  for (const { topic, group, names } of of(history, 'stored'))
    for (const name of names) final.add(group === undefined ? `${topic} ${name}` : `${topic} ${group} ${name}`)
  const groups = new Map(of(history, 'groups').map((entry) => [entry.topic, entry.groups]))
  const topics = new Map(of(history, 'publishing').map(({ name, topic }) => [name, topic]))
  let forgotten = 0
  const found = of(history, 'published').flatMap(({ name, outcome, serverMs }) => {
    if (outcome !== 'ok') return []
    const topic = topics.get(name) as string
    if (final.has(`${topic} ${name}`)) return []
    const missing = (groups.get(topic) ?? [])
      .filter((group) => !reading.isSkipped(name) && !final.has(`${topic} ${group} ${name}`))
      .map((group) => `${name} was published to ${topic}, and in ${group} it is neither settled nor stored`)
    const mayBeLost = reading.lostPublish(serverMs) || (reading.forgotApart(serverMs) && reading.isOfFlow(name))
    if (missing.length === 0 || !mayBeLost) return missing
    forgotten++
    return []
  })
  const isTold = history.some(({ e }) => e === 'rollback')
  return forgotten > 0 && !isTold ? [...found, `a server lost ${forgotten} publishes, and nobody was told`] : found
}
