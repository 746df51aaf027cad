/** docs/security.md as the tests execute it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { root, type Snippet, snippetsOf } from '../docs/pages.js'

const PAGE = 'docs/security.md'

const text = (): string => readFileSync(join(root, PAGE), 'utf8')

/** Its blocks of one language, in order. */
export const blocksOf = (language: string): Snippet[] =>
  snippetsOf({ page: PAGE, text: text() }).filter((block) => block.language === language)

/** The commands of its `redis` blocks that define users. */
export const userCommands = (): string[][] =>
  blocksOf('redis')
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => line.split(' '))
    .filter(([command, verb, user]) => command === 'ACL' && verb === 'SETUSER' && user !== 'default')

/** Makes the page's users, as an operator would who types it in; for another namespace than its own if one is given. */
export async function createUsers(redis: Redis, namespace = 'shop'): Promise<void> {
  for (const [command = '', ...args] of userCommands())
    await redis.call(command, ...args.map((arg) => arg.replace(/^([~&]|%R~)shop:/, `$1${namespace}:`)))
}

/** As the page has it. */
export const passwordOf = (user: string): string =>
  userCommands()
    .find(([, , name, ...rules]) => name === user && rules.some((rule) => rule.startsWith('>')))
    ?.find((rule) => rule.startsWith('>'))
    ?.slice(1) ?? ''

/** What the page says that services with schedules and flows also need. */
export const pluginRules = (): string[] => rulesAt('- **Plugins**')

/** What it says that all need on a cluster. */
export const clusterRules = (): string[] => rulesAt('- **On a cluster**')

function rulesAt(beginning: string): string[] {
  const line = text()
    .split('\n')
    .find((line) => line.startsWith(beginning))
  return [...(line ?? '').matchAll(/`([~&+][^`\s]+)`/g)].map(([, rule = '']) => rule)
}
