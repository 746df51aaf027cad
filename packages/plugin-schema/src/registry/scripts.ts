/**
 * What the registry does in Redis, each in one script. It is in one place for a whole namespace: beneath the topic `$schema`.
 *
 *   schemas   hash  fingerprint -> canonical text, newline, full text; never changed
 *   latest    hash  subject -> how many versions it has
 *   versions  hash  subject, space, version -> fingerprint, space, full text; never changed
 *   texts     hash  subject, space, SHA-1 of a full text -> its version
 *   modes     hash  subject -> its compatibility mode, as whoever registered last and named one has said
 *
 * A subject is a topic. All of it grows with schemas that people write, and with nothing else.
 */
import type { Scope } from '@busway/bus'
import { type Compatibility, DEFAULT_MODE } from './compatibility-mode.js'

export const REGISTRY_TOPIC = '$schema'

/** What a registration came to; what it says besides; the mode that holds; the one that was kept before, empty if there was none. */
export type Registered = readonly [
  outcome: 'known' | 'registered' | 'moved' | 'collision',
  detail: string,
  mode: Compatibility,
  before: Compatibility | '',
]

/** So many versions are read in one call. */
export const PAGE = 20

/*
 * Registers a schema as the next version of its subject.
 *
 * KEYS     schemas, latest, versions, texts, modes
 * ARGV     subject, fingerprint, canonical text, full text, the version and mode that the caller has checked it against (version '0': there is none;
 *          '': asks only), the mode that its bus names ('': none)
 * Returns  {'known', version, mode, before} it is one already; {'registered', version, mode, before}; {'moved', version, mode, before} another is the latest,
 *          or another mode holds, than was checked: nothing was written; {'collision', text, mode, before} another schema has this fingerprint, nothing was written
 * Keeps    versions of a subject without gaps, each as the mode that held then asks for; a fingerprint's text for ever
 * Cost     10 commands at most, whatever there is
 */
const REGISTER = `
local subject, fingerprint, canonical, text, checked, named = args[1], args[2], args[3], args[4], args[5], args[6]
local before = redis.call('HGET', keys[5], subject) or ''
local mode = named ~= '' and named or before ~= '' and before or '${DEFAULT_MODE}'
local function keep()
  if named ~= '' and named ~= before then redis.call('HSET', keys[5], subject, named) end
end
local place = subject .. ' ' .. redis.sha1hex(text)
local known = redis.call('HGET', keys[4], place)
if known then
  keep()
  return { 'known', known, mode, before }
end
local stored = redis.call('HGET', keys[1], fingerprint)
if stored and string.match(stored, '^[^\\n]*') ~= canonical then return { 'collision', stored, mode, before } end
local latest = redis.call('HGET', keys[2], subject) or '0'
if latest .. ' ' .. mode ~= checked then return { 'moved', latest, mode, before } end
keep()
local version = string.format('%d', tonumber(latest) + 1)
if not stored then redis.call('HSET', keys[1], fingerprint, canonical .. '\\n' .. text) end
redis.call('HSET', keys[3], subject .. ' ' .. version, fingerprint .. ' ' .. text)
redis.call('HSET', keys[4], place, version)
redis.call('HSET', keys[2], subject, version)
return { 'registered', version, mode, before }`

/*
 * Reads versions of a subject, the newest first.
 *
 * KEYS     latest, versions
 * ARGV     subject, the version to begin with ('': the latest), how many at most
 * Returns  {version, entry, version, entry, ...}
 * Cost     2 commands
 */
const VERSIONS = `
local subject, from, count = args[1], args[2], tonumber(args[3])
if from == '' then from = redis.call('HGET', keys[1], subject) or '0' end
local names, found = {}, {}
for version = tonumber(from), math.max(1, tonumber(from) - count + 1), -1 do
  names[#names + 1] = subject .. ' ' .. string.format('%d', version)
end
if #names == 0 then return found end
for i, entry in ipairs(redis.call('HMGET', keys[2], unpack(names))) do
  found[#found + 1] = string.format('%d', tonumber(from) - i + 1)
  found[#found + 1] = entry or ''
end
return found`

/** KEYS: schemas. ARGV: fingerprint. Returns its canonical and full text, or nil. Cost: 1 command. */
const SCHEMA = `return redis.call('HGET', keys[1], args[1])`

/** KEYS: modes. ARGV: subject. Returns the mode that is kept, or nil. Cost: 1 command. */
const MODE = SCHEMA

export interface RegistryScripts {
  register(
    topic: string,
    ...args: [subject: string, fingerprint: string, canonical: string, text: string, checked: string, named: string]
  ): Promise<readonly unknown[]>
  versions(topic: string, ...args: [subject: string, from: string, count: number]): Promise<readonly unknown[]>
  schema(topic: string, ...args: [fingerprint: string]): Promise<unknown>
  mode(topic: string, ...args: [subject: string]): Promise<unknown>
}

export const declareScripts = (scope: Scope): RegistryScripts => ({
  register: scope.script({
    name: 'register',
    keys: () => ['schemas', 'latest', 'versions', 'texts', 'modes'],
    lua: REGISTER,
  }),
  versions: scope.script({ name: 'versions', keys: () => ['latest', 'versions'], lua: VERSIONS, readOnly: true }),
  schema: scope.script({ name: 'schema', keys: () => ['schemas'], lua: SCHEMA, readOnly: true }),
  mode: scope.script({ name: 'mode', keys: () => ['modes'], lua: MODE, readOnly: true }),
})
