import type { GatewayCounts, GatewayReport } from './desk.js'

/** The gateway as its operator sees it. */
export class GatewayClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  async counts(): Promise<GatewayCounts> {
    return (await this.#call('GET', '/counts')).json() as Promise<GatewayCounts>
  }

  async report(): Promise<GatewayReport> {
    return (await this.#call('GET', '/report')).json() as Promise<GatewayReport>
  }

  /** From now on the gateway accepts everything. */
  async repair(): Promise<void> {
    await this.#call('POST', '/repair')
  }

  async #call(method: string, path: string): Promise<Response> {
    const answer = await fetch(this.#url + path, { method })
    if (!answer.ok) throw new Error(`The gateway answered ${method} ${path} with ${answer.status}.`)
    return answer
  }
}
