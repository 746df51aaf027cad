/** Whether schemas could be registered where others are, by the rules that a bus would apply when it starts. */
import { type Compatibility, DEFAULT_MODE, incompatibility, versionsChecked } from '../registry/compatibility-mode.js'
import type { Source, Version } from './sources.js'

/** What became of one topic. */
export interface Finding {
  readonly topic: string
  readonly isFine: boolean
  readonly message: string
}

/** `named`: instead of the mode that a registry keeps, or the default. */
export async function check(ours: Source, against: Source, named?: Compatibility): Promise<Finding[]> {
  const mine = await ours()
  const theirs = await against([...mine.keys()])
  return [...mine].map(
    ([
      topic,
      {
        versions: [latest],
      },
    ]) => {
      const { versions = [], mode = DEFAULT_MODE } = theirs.get(topic) ?? {}
      return { topic, ...judged(latest as Version, versions, named ?? mode) }
    },
  )
}

function judged({ codec }: Version, versions: readonly Version[], mode: Compatibility): Omit<Finding, 'topic'> {
  const known = versions.find((version) => version.codec.text === codec.text)
  if (known !== undefined) return { isFine: true, message: `is there already, as ${called(known)}` }
  const before = versions.slice(0, Math.min(versions.length, versionsChecked(mode)))
  if (before.length === 0) return { isFine: true, message: versions.length === 0 ? 'is new' : 'is not compared' }
  const problems = before.flatMap((version) => {
    const problem = incompatibility(mode, codec.node, version.codec.node, called(version))
    return problem === undefined ? [] : [problem]
  })
  return problems.length === 0
    ? { isFine: true, message: `is ${mode} compatible with ${before.map(called).join(', ')}` }
    : { isFine: false, message: `is not ${mode} compatible: ${problems.join('; ')}` }
}

const called = ({ version }: Version): string =>
  version === Number.POSITIVE_INFINITY ? 'the latest version' : `version ${version}`
