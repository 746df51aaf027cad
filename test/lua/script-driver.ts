/** Runs the scripts over a bare connection, through the package's own codecs: what the model and the fault tests drive. */
import { type ComposeOptions, compose, type Script, type ScriptSet } from '@busway/lua'
import type { Redis } from 'ioredis'

export class ScriptDriver {
  readonly #redis: Redis
  readonly #namespace: string
  readonly #set: ScriptSet

  constructor(redis: Redis, namespace: string, options: ComposeOptions) {
    this.#redis = redis
    this.#namespace = namespace
    this.#set = compose(options)
  }

  /** `edit` changes the script's text first, for faults that are injected into it. */
  async run<Request, Reply>(
    script: Script<Request, Reply>,
    topic: string,
    request: Request,
    edit?: (text: string) => string,
  ): Promise<Reply> {
    const { text, sha } = this.#set.get(script.name)
    const keys = [`${this.#namespace}:{${topic}}:meta`, `${this.#namespace}:{${topic}}:never`]
    const args = script.args(request).map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : arg))
    if (edit) return script.reply(await this.#redis.callBuffer('EVAL', edit(text), 2, ...keys, ...args))
    try {
      return script.reply(await this.#redis.callBuffer('EVALSHA', sha, 2, ...keys, ...args))
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw error
      return script.reply(await this.#redis.callBuffer('EVAL', text, 2, ...keys, ...args))
    }
  }

  key(topic: string, name: string): string {
    return `${this.#namespace}:{${topic}}:${name}`
  }
}
