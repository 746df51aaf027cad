/** The commands that docs/security.md permits are those that are called: a script that meets one that is missing stops half-way. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Role, roleOf, scriptNames } from '@busway/lua'
import { expect } from 'chai'
import { assemble } from '../../lua/src/files.js'
import { root } from '../docs/pages.js'
import { pluginRules, userCommands } from './page.js'

/** What a bus calls beside scripts. */
const CLIENT: Readonly<Record<Role, readonly string[]>> = {
  publish: [
    ...['evalsha', 'script|load', 'script|exists', 'info', 'time', 'ping', 'client|setname'],
    ...['subscribe', 'unsubscribe', 'lpop', 'hmget'],
  ],
  consume: ['hdel', 'hgetall', 'sscan'],
  admin: ['sismember', 'smembers', 'srem', 'sscan'],
}

/** What it calls only where an option asks for it, or on a cluster, as the page says. */
const SOMETIMES = ['wait', 'waitaof', 'cluster']

const permittedTo = (user: string): Set<string> =>
  new Set(
    userCommands()
      .filter(([, , name]) => name === user)
      .flatMap((words) => words.filter((word) => word.startsWith('+')).map((word) => word.slice(1))),
  )

const commandsIn = (lua: string): string[] =>
  [...lua.matchAll(/\b(?:call|pcall|callWith|readWith|callAll)\(\s*'([A-Z]+)'/g)].map(([, command = '']) =>
    command.toLowerCase(),
  )

function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(root, folder, file), 'utf8'))
}

describe('the users of docs/security.md may run', () => {
  const users: readonly [user: string, roles: readonly Role[]][] = [
    ['shop-producer', ['publish']],
    ['shop-consumer', ['publish', 'consume']],
    ['shop-receipts', ['publish', 'consume']],
    ['shop-admin', ['publish', 'consume', 'admin']],
  ]
  for (const [user, roles] of users)
    it(`${user} what its scripts and its client call, and no other command`, () => {
      const scripts = scriptNames.filter((name) => roles.includes(roleOf(name)))
      const needed = new Set([
        ...scripts.flatMap((name) => commandsIn(assemble(name))),
        ...roles.flatMap((role) => CLIENT[role]),
      ])
      expect(permittedTo(user)).to.deep.equal(needed)
    })

  it('all that a client calls beside scripts', () => {
    const known = new Set([...Object.values(CLIENT).flat(), ...SOMETIMES, 'script'])
    const called = sourcesOf('packages/bus/src').flatMap((text) =>
      [...text.matchAll(/\b(?:call|command)\('([A-Z]+)'/g)].map(([, command = '']) => command.toLowerCase()),
    )
    expect(called).to.include.members(['info', 'evalsha', 'sscan'])
    expect(called.filter((command) => !known.has(command))).to.deep.equal([])
  })

  it('all that the scripts of plugins call', () => {
    const permitted = permittedTo('shop-producer')
    const further = pluginRules().filter((rule) => rule.startsWith('+'))
    const lua = readdirSync(join(root, 'packages'))
      .filter((name) => name.startsWith('plugin-'))
      .flatMap((name) => sourcesOf(`packages/${name}/src`))
    const called = new Set(lua.flatMap(commandsIn))
    expect(called).to.include('zrangebyscore')
    expect([...called].filter((command) => !permitted.has(command)).map((command) => `+${command}`)).to.deep.equal(
      further,
    )
  })
})
