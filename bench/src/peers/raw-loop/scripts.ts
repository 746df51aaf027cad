import { compose, type Script, type ScriptName } from '@busway/lua'
import { Redis } from 'ioredis'
import type { Place } from '../../peer.js'
import { field } from '../../server-info.js'

/** A connection that calls Busway's own scripts by EVALSHA: no retries, no reconnecting, nothing of the library between it and the socket. */
export class TopicScripts {
  readonly redis: Redis
  readonly prefix: string
  readonly #shas: ReadonlyMap<ScriptName, string>

  private constructor(redis: Redis, prefix: string, shas: ReadonlyMap<ScriptName, string>) {
    this.redis = redis
    this.prefix = prefix
    this.#shas = shas
  }

  static async connect({ redisUrl, queue }: Place, names: readonly ScriptName[]): Promise<TopicScripts> {
    const redis = new Redis(redisUrl)
    const set = compose({ redisVersion: field(await redis.info('server'), 'redis_version') ?? '' })
    const shas = new Map<ScriptName, string>()
    for (const name of names) {
      await redis.script('LOAD', set.get(name).text)
      shas.set(name, set.get(name).sha)
    }
    return new TopicScripts(redis, `busway:{${queue}}:`, shas)
  }

  async run<Request, Reply>(script: Script<Request, Reply>, request: Request): Promise<Reply> {
    const keys = [`${this.prefix}meta`, `${this.prefix}never`]
    const args = script.args(request) as (string | number | Buffer)[]
    return script.reply(
      await this.redis.callBuffer('EVALSHA', this.#shas.get(script.name) as string, 2, ...keys, ...args),
    )
  }
}
