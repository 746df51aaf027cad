/**
 * What plugins bring in Lua, tried piece by piece before it becomes part of the kernel's scripts: there an error would name no plugin, and keep
 * every script from running.
 */
import type { ComposedScript, GuardLua, GuardStage } from '@busway/lua'
import { BuswayError } from '../errors/busway-error.js'
import { isRedisFailure } from '../errors/redis-failure.js'
import type { Link } from './link.js'

const functionsAt: Readonly<Record<GuardStage, readonly string[]>> = {
  publish: ['check', 'apply'],
  fetch: ['check', 'checkKey', 'skip', 'apply', 'applyKey'],
  settle: ['apply'],
}

/** Rejects with CONFIG_INVALID, naming the guard and what is wrong with it. Two round trips, whatever their number. */
export async function checkGuards(
  link: Link,
  guards: { readonly [stage in GuardStage]?: readonly GuardLua[] },
): Promise<void> {
  const stages = Object.keys(functionsAt) as GuardStage[]
  await Promise.all(stages.flatMap((stage) => (guards[stage] ?? []).map((guard) => checkGuard(link, stage, guard))))
}

async function checkGuard(link: Link, stage: GuardStage, { name, lua }: GuardLua): Promise<void> {
  const invalid = (what: string, cause?: unknown): BuswayError =>
    new BuswayError('CONFIG_INVALID', `The Lua of the ${stage} guard '${name}' ${what}`, {
      cause,
      details: { guard: name },
    })
  const sha = await attempt(link.call('SCRIPT', ['LOAD', reflection(lua)]), (error) =>
    invalid(`does not compile: ${plainly(error)}`, error),
  )
  const found = await attempt(link.call('EVALSHA', [String(sha), '0']), (error) =>
    invalid(`fails when it is loaded: ${plainly(error)}`, error),
  )
  const known = functionsAt[stage]
  const takes = `a table with ${known.join(', ')}`
  if (!Array.isArray(found)) throw invalid(`returns ${String(found)}; it should return ${takes}.`)
  for (const entry of found.map(String)) {
    const [field = '', type = ''] = entry.split(' ')
    if (!known.includes(field)) throw invalid(`returns a table with '${field}'; it should return ${takes}.`)
    if (type !== 'function') throw invalid(`has a ${type} for ${field}; it is a function.`)
  }
}

/** Loads a plugin's own script. Rejects with CONFIG_INVALID if it does not compile. */
export function loadPluginScript(link: Link, { name, text }: ComposedScript): Promise<unknown> {
  return attempt(
    link.call('SCRIPT', ['LOAD', text]),
    (error) =>
      new BuswayError('CONFIG_INVALID', `The Lua of the script '${name}' does not compile: ${plainly(error)}`, {
        cause: error,
        details: { script: name },
      }),
  )
}

/** Begins on the guard's first line, so that errors tell its own line numbers. */
const reflection = (lua: string): string => `local guard = (function() ${lua}
end)()
if type(guard) ~= 'table' then return type(guard) end
local fields = {}
for name, value in pairs(guard) do fields[#fields + 1] = tostring(name) .. ' ' .. type(value) end
return fields`

/** A connection that goes proves nothing about the script; it is tried again with the next. */
async function attempt(call: Promise<unknown>, explained: (error: Error) => BuswayError): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    throw isRedisFailure(error) && error.kind === 'failed' ? explained(error) : error
  }
}

const plainly = (error: Error): string =>
  error.message
    .replace(/^ERR (?:Error compiling script \(new function\): )?/, '')
    .replace(/ script: [0-9a-f]{40}.*$/, '')
