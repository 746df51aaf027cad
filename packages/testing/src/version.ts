/** The oldest Redis that Busway's scripts run on. */
export const MINIMUM_VERSION = '6.2.0'

/** A server's name and version, as `redis-server --version` prints them: 'Redis server v=7.0.15 sha=...'. */
export function parseServerVersion(output: string): { name: string; version: string } | undefined {
  const match = /(Redis|Valkey) server v=(\d+\.\d+\.\d+)/i.exec(output)
  return match ? { name: match[1] as string, version: match[2] as string } : undefined
}

/** The same from the reply to `INFO server`; Valkey states its own version beside the Redis version it is compatible with. */
export function parseInfoVersion(info: string): { name: string; version: string } | undefined {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1]
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1]
  if (valkey) return { name: 'Valkey', version: valkey }
  return redis ? { name: 'Redis', version: redis } : undefined
}

/** Whether Busway's scripts run on this version. */
export function isNewEnough(version: string): boolean {
  const wanted = MINIMUM_VERSION.split('.').map(Number)
  const parts = version.split('.').map(Number)
  for (const [i, least] of wanted.entries()) {
    const part = parts[i] ?? 0
    if (part !== least) return part > least
  }
  return true
}
