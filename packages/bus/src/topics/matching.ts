/** Which topics a pattern means. Both were checked before (validate/names.ts). */

/** `*` is one token, `>` (last) at least one. Topics of plugins, which begin with `$`, are meant by none. */
export function matcher(pattern: string): (topic: string) => boolean {
  const tokens = pattern.split('.')
  const isOpen = tokens.at(-1) === '>'
  if (isOpen) tokens.pop()
  return (topic) => {
    if (topic.startsWith('$')) return false
    const parts = topic.split('.')
    if (isOpen ? parts.length <= tokens.length : parts.length !== tokens.length) return false
    return tokens.every((token, i) => token === '*' || token === parts[i])
  }
}

/** What Redis can sort out by itself; its `*` stands for dots too, so this is more than the pattern means. */
export const globOf = (pattern: string): string => pattern.replace(/>$/, '*')
