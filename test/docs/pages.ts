import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A fenced block of a page. */
export interface Snippet {
  page: string
  /** The line of its opening fence, from 1. */
  line: number
  /** 'ts', 'sh', ... */
  language: string
  /** What follows the language: 'no-run', 'fragment', or nothing. */
  mode: string
  text: string
}

/** Every page that a reader is given. */
export function readPages(): { page: string; text: string }[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) => join('docs', file))
  const folders = readdirSync(join(root, 'packages')).map((folder) => join('packages', folder))
  const readmes = ['.', 'lua', 'bench', 'services-example', ...folders].map((folder) => join(folder, 'README.md'))
  const pages = [...readmes, ...docs].filter((file) => file.endsWith('.md') && existsSync(join(root, file)))
  return pages.map((page) => ({ page, text: readFileSync(join(root, page), 'utf8') }))
}

/** The fenced blocks of a page. */
export function snippetsOf({ page, text }: { page: string; text: string }): Snippet[] {
  const snippets: Snippet[] = []
  const lines = text.split('\n')
  let open: Snippet | undefined
  for (const [i, line] of lines.entries()) {
    const fence = /^\s*```\s*(\S*)\s*(.*)$/.exec(line)
    if (!fence) {
      if (open) open.text += `${line}\n`
    } else if (open) {
      snippets.push(open)
      open = undefined
    } else open = { page, line: i + 1, language: fence[1] ?? '', mode: (fence[2] ?? '').trim(), text: '' }
  }
  if (open) throw new Error(`${page}:${open.line}: the fence is never closed`)
  return snippets
}
