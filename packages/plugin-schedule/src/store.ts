/** Where definitions are kept: two keys of the plugin on its own topic, and the scripts that read and write them. */
import type { Scope } from '@busway/bus'
import type { Definition } from './definition.js'

/** Its pending times are messages here; its definitions lie beside them. */
export const TOPIC = '$schedule'

/** What is read with a definition: Redis' clock goes with it. */
export interface Stored {
  readonly nowMs: number
  readonly definition: Definition | undefined
}

export interface Store {
  read(id: string): Promise<Stored>
  /** Writes it if the definition still has the token `replaces` (`''`: if there is none). Resolves with whether it was written. */
  write(id: string, replaces: string, definition: Definition): Promise<boolean>
  /** Resolves with whether there was one with that token. */
  remove(id: string, replaces: string): Promise<boolean>
  /** Definitions after `after` in the order of their ids. */
  page(after: string, limit: number): Promise<[id: string, definition: Definition][]>
}

const KEYS = () => ['definitions', 'ids']
/** A definition is stored behind its token, which has no space, so that no script need decode it. */
const TOKEN = `
  local known = redis.call('HGET', keys[1], args[1])
  local token = known and string.match(known, '^(%S+) ') or ''`
const NOW = `
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)`

/** Declares the scripts. */
export function declareStore(scope: Scope): Store {
  // One read. Returns { now, definition or '' }.
  const read = scope.script<[id: string], [number, string]>({
    name: 'read',
    keys: KEYS,
    readOnly: true,
    lua: `${NOW}
      return { now, redis.call('HGET', keys[1], args[1]) or '' }`,
  })
  // One read, two writes. It may run twice: the second finds its own token, and answers as the first did.
  const write = scope.script<[id: string, replaces: string, token: string, value: string], number>({
    name: 'write',
    keys: KEYS,
    lua: `${TOKEN}
      if token ~= args[2] and token ~= args[3] then return 0 end
      redis.call('HSET', keys[1], args[1], args[3] .. ' ' .. args[4])
      redis.call('ZADD', keys[2], 0, args[1])
      return 1`,
  })
  // One read, two writes.
  const remove = scope.script<[id: string, replaces: string], number>({
    name: 'remove',
    keys: KEYS,
    lua: `${TOKEN}
      if token ~= args[2] or token == '' then return 0 end
      redis.call('HDEL', keys[1], args[1])
      redis.call('ZREM', keys[2], args[1])
      return 1`,
  })
  // Two reads.
  const page = scope.script<[after: string, limit: number], string[]>({
    name: 'page',
    keys: KEYS,
    readOnly: true,
    lua: `
      local from = args[1] == '' and '-' or '(' .. args[1]
      local ids = redis.call('ZRANGEBYLEX', keys[2], from, '+', 'LIMIT', 0, tonumber(args[2]))
      if #ids == 0 then return {} end
      local values, out = redis.call('HMGET', keys[1], unpack(ids)), {}
      for i, id in ipairs(ids) do out[#out + 1], out[#out + 2] = id, values[i] or '' end
      return out`,
  })
  return {
    async read(id) {
      const [nowMs, value] = await read(TOPIC, id)
      return { nowMs: Number(nowMs), definition: parse(String(value)) }
    },
    async write(id, replaces, definition) {
      const { token, ...rest } = definition
      return Number(await write(TOPIC, id, replaces, token, JSON.stringify(rest))) === 1
    },
    async remove(id, replaces) {
      return Number(await remove(TOPIC, id, replaces)) === 1
    },
    async page(after, limit) {
      const flat = (await page(TOPIC, after, limit)).map(String)
      const found: [string, Definition][] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const definition = parse(flat[i + 1] ?? '')
        if (definition !== undefined) found.push([flat[i] ?? '', definition])
      }
      return found
    },
  }
}

function parse(value: string): Definition | undefined {
  if (value === '') return undefined
  const at = value.indexOf(' ')
  return { token: value.slice(0, at), ...JSON.parse(value.slice(at + 1)) }
}
