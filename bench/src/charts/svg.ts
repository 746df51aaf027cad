/** As much of SVG as a chart needs: elements as text, with everything escaped that a name or a title may hold. */

export type Attributes = Readonly<Record<string, string | number>>

/** An element around others, or around nothing. `element('rect', { width: 3 })` is `<rect width="3"/>`. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const start = `<${name}${Object.entries(attributes).map(attribute).join('')}`
  return children.length === 0 ? `${start}/>` : `${start}>${children.join('')}</${name}>`
}

/** A line of text at a point. */
export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(content))
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escaped(content: string): string {
  return content.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/** Tenths are all that a screen shows. */
function attribute([name, value]: [string, string | number]): string {
  return ` ${name}="${typeof value === 'number' ? Math.round(value * 10) / 10 : escaped(value)}"`
}
