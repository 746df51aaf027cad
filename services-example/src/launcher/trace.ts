/** One flight's trace over all services, as a tree of lines. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSpanFile, type SpanLine } from '../telemetry/span-line.js'

/** Of the traces of flights that the processes of a run have written, the one with most spans. `undefined` if there is none. */
export async function longestTrace(folder: string): Promise<string[] | undefined> {
  const traces = new Map<string, SpanLine[]>()
  for (const span of await readSpans(folder)) traces.set(span.trace, [...(traces.get(span.trace) ?? []), span])
  const [longest] = [...traces.values()]
    .filter(isOfFlight)
    .sort((a, b) => b.length - a.length || ((a[0]?.trace ?? '') < (b[0]?.trace ?? '') ? -1 : 1))
  return longest && treeOf(longest)
}

/** Reports have traces as well, of a span for each of their parts. */
const isOfFlight = (spans: readonly SpanLine[]): boolean =>
  spans.some(({ name, parent }) => parent === undefined && /^(create|send) flights\.departed$/.test(name))

async function readSpans(folder: string): Promise<SpanLine[]> {
  const files = (await readdir(folder)).filter(isSpanFile)
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return texts.flatMap((text) => text.split('\n').flatMap(spanIn))
}

/** The last line of a process that was killed may be half a line. */
function spanIn(line: string): SpanLine[] {
  try {
    return [JSON.parse(line)]
  } catch {
    return []
  }
}

export function treeOf(spans: readonly SpanLine[]): string[] {
  const byId = new Map(spans.map((span) => [span.span, span]))
  const roots = spans.filter(({ parent }) => parent === undefined || !byId.has(parent))
  const startMs = Math.min(...spans.map((span) => span.startMs))
  const lines: [tree: string, process: string, times: string][] = []
  const add = (span: SpanLine, lead: string, branch: string): void => {
    const { name, process, attempt, error } = span
    const which = attempt !== undefined && attempt > 1 ? ` (attempt ${attempt})` : ''
    const failed = error === undefined ? '' : ` ! ${error}`
    const from = (span.startMs - startMs).toFixed(1)
    lines.push([
      `${lead}${branch}${name}${which}${failed}`,
      process,
      `${from} ms + ${(span.endMs - span.startMs).toFixed(1)}`,
    ])
    const children = spans.filter(({ parent }) => parent === span.span).sort((a, b) => a.startMs - b.startMs)
    const indented = lead + (branch === '' ? '' : branch === '└ ' ? '  ' : '│ ')
    for (const [i, child] of children.entries()) add(child, indented, i === children.length - 1 ? '└ ' : '├ ')
  }
  for (const root of [...roots].sort((a, b) => a.startMs - b.startMs)) add(root, '', '')
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column as 0 | 1].length)))
  return lines.map(
    ([tree, process, times]) => `  ${tree.padEnd(widths[0] ?? 0)}  ${process.padEnd(widths[1] ?? 0)}  ${times}`,
  )
}
