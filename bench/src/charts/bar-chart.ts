import { format } from '../report.js'
import type { Summary } from '../statistics.js'
import { scaleFor } from './scale.js'
import { type Attributes, element, escaped, text } from './svg.js'

export interface BarChart {
  title: string
  /** What the bars are, and which way is better. */
  caption: string
  /** From the top. */
  bars: readonly Bar[]
}

export interface Bar {
  label: string
  /** Undefined of a peer that has none: its row says so. */
  figure: Summary | undefined
  /** The one that the chart is about. */
  isOurs?: boolean
}

const WIDTH = 760
const MARGIN = 16
const LABELS = 150
/** Right of the longest bar: its figure with the spread. */
const FIGURES = 170
const ROW = 26
const BAR = 16
const TITLE_LINE = 19
const TITLE_CHARACTERS = 96
const AXIS = 26

/** It has a ground of its own, so that it can be read wherever it is put, whatever the colours around it. */
const STYLE = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.soft { fill: #59636e }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.bar { fill: #9fb3c8 }
.ours { fill: #1f6feb }
.bold { font-weight: 600 }
.spread { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.soft { fill: #9198a1 }
.ground { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
.bar { fill: #56687a }
.ours { fill: #4493f8 }
.spread { stroke: #f0f6fc }
}
`

/** Horizontal bars as an SVG: medians, with a whisker from the least to the greatest. */
export function barChart({ title, caption, bars }: BarChart): string {
  const titleLines = wrapped(title, TITLE_CHARACTERS)
  const top = MARGIN + titleLines.length * TITLE_LINE + TITLE_LINE + 8
  const bottom = top + bars.length * ROW
  const height = bottom + AXIS
  const left = MARGIN + LABELS
  const length = WIDTH - left - FIGURES - MARGIN
  const scale = scaleFor(Math.max(0, ...bars.map(({ figure }) => figure?.max ?? 0)))
  const x = (value: number) => left + scale.at(value, length)

  const grid = scale.ticks.map(
    (tick) =>
      element('line', { class: 'grid', x1: x(tick), y1: top, x2: x(tick), y2: bottom }) +
      text(x(tick), bottom + 16, format(tick), { class: 'soft', 'text-anchor': 'middle' }),
  )
  const rows = bars.map(({ label, figure, isOurs = false }, i) => {
    const middle = top + i * ROW + ROW / 2
    const weight: Attributes = isOurs ? { class: 'bold' } : {}
    const name = text(left - 8, middle + 4, label, { 'text-anchor': 'end', ...weight })
    if (!figure) return name + text(left + 8, middle + 4, 'no figure', { class: 'soft' })
    const { median, min, max } = figure
    const bar = element('rect', {
      class: isOurs ? 'ours' : 'bar',
      x: left,
      y: middle - BAR / 2,
      width: scale.at(median, length),
      height: BAR,
    })
    return name + bar + whisker(x(min), x(max), middle) + text(x(max) + 10, middle + 4, spread(figure), weight)
  })

  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: WIDTH,
      height,
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: 'img',
    },
    element('title', {}, escaped(`${title}: ${caption}`)),
    element('style', {}, STYLE),
    element('rect', { class: 'ground', x: 0.5, y: 0.5, width: WIDTH - 1, height: height - 1, rx: 6 }),
    ...titleLines.map((line, i) => text(MARGIN, MARGIN + 14 + i * TITLE_LINE, line, { class: 'title' })),
    text(MARGIN, MARGIN + 14 + titleLines.length * TITLE_LINE, caption, { class: 'soft' }),
    ...grid,
    ...rows,
  )}\n`
}

function whisker(from: number, to: number, y: number): string {
  const path = `M${from.toFixed(1)} ${y - 4}v8M${from.toFixed(1)} ${y}H${to.toFixed(1)}M${to.toFixed(1)} ${y - 4}v8`
  return element('path', { class: 'spread', d: path })
}

function spread({ median, min, max }: Summary): string {
  return min === max ? format(median) : `${format(median)} (${format(min)}-${format(max)})`
}

/** Lines of so many characters at most, broken between words. */
export function wrapped(content: string, characters: number): string[] {
  const lines: string[] = []
  for (const word of content.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > characters) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}
