/** Reads the package's `.lua` files and resolves their includes. */

import { readFileSync } from 'node:fs'

const sources = new Map<string, string>()

/** From `src` and from `dist` alike, the folders lie one level up. */
function source(path: string): string {
  let text = sources.get(path)
  if (text === undefined) {
    text = readFileSync(new URL(`../${path}.lua`, import.meta.url), 'utf8')
    sources.set(path, text)
  }
  return text
}

const INCLUDE = /^([ \t]*)--@include ([\w./-]+)[ \t]*$/gm
const COMMENT_LINE = /^[ \t]*--(?!@).*\n/gm

/**
 * The text of `scripts/<name>.lua` with every `--@include lib/x` replaced by that file, the first time that it is met.
 * A script makes its functions anew at every call. So the rare paths include what only they need inside their block, where it is paid for when
 * the block runs; such an (indented) include serves its block alone.
 */
export function assemble(name: string): string {
  const expand = (path: string, included: Set<string>): string =>
    source(path)
      .replace(COMMENT_LINE, '')
      .replace(INCLUDE, (_line, indent: string, target: string) => {
        if (included.has(target)) return ''
        const scope = indent === '' ? included : new Set(included)
        scope.add(target)
        return expand(target, scope)
      })
  return expand(`scripts/${name}`, new Set())
}
