import { authCommand, probe } from '../probe.js'
import { isNewEnough, MINIMUM_VERSION, parseInfoVersion } from '../version.js'
import type { Finder } from './source.js'

/** The server at `REDIS_URL`, if it answers and is new enough. */
export const findAtUrl: Finder = async ({ REDIS_URL: text }) => {
  if (!text) return { reason: 'REDIS_URL is not set' }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['redis:', 'rediss:'].includes(url.protocol))
    return { reason: 'REDIS_URL is not a URL that begins with redis:// or rediss://' }
  const shown = withoutPassword(url)
  try {
    const reply = await probe({ url }, [...authCommand(url), ['INFO', 'server']])
    const found = parseInfoVersion(reply)
    if (!found) return { reason: `${shown} answers ${reply.split('\n')[0]?.slice(0, 100)}` }
    if (!isNewEnough(found.version))
      return { reason: `${shown} is ${found.name} ${found.version}, and Busway needs ${MINIMUM_VERSION} or newer` }
    return { source: 'url', url: text, ...found }
  } catch (error) {
    return { reason: `${shown} cannot be reached (${(error as Error).message})` }
  }
}

/** A URL as it may be shown to people. */
export function withoutPassword(url: URL): string {
  const shown = new URL(url)
  if (shown.password) shown.password = '***'
  return shown.href
}
