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
const INDENTED_COMMENT = /^[ \t]*--(?!@).*\n/gm

/**
 * The text of `scripts/<name>.lua` with every `--@include lib/x` replaced by that file, the first time that it is met.
 * An include inside a block is paid for only when the block runs: a script makes its functions anew at every call, so the rare paths include
 * what only they need where they need it.
 */
export function assemble(name: string): string {
  const included = new Set<string>()
  const expand = (path: string): string =>
    source(path)
      .replace(INDENTED_COMMENT, '')
      .replace(INCLUDE, (_line, _indent: string, target: string) => {
        if (included.has(target)) return ''
        included.add(target)
        return expand(target)
      })
  return expand(`scripts/${name}`)
}
