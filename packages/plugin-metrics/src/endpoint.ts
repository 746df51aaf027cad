/** The endpoint that Prometheus scrapes. It keeps no program running that has nothing else to do. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BuswayError } from '@busway/bus'
import type { Meter } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { Settings } from './options.js'
import { Tallies } from './tallies.js'

type Where = NonNullable<Settings['prometheus']>

const SCOPE = '@busway/plugin-metrics'

export class Endpoint {
  /** For what is observed when it is scraped. */
  readonly meter: Meter
  /** For what is measured while messages pass. */
  readonly tallies = new Tallies(SCOPE)
  readonly #where: Where
  readonly #exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    metricProducers: [this.tallies],
  })
  readonly #provider: MeterProvider
  readonly #server: Server

  constructor(service: string, where: Where) {
    this.#where = where
    const resource = resourceFromAttributes({ 'service.name': service })
    this.#provider = new MeterProvider({ resource, readers: [this.#exporter] })
    this.meter = this.#provider.getMeter(SCOPE)
    this.#server = createServer((request, response) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      if (isRead && request.url?.split('?')[0] === where.path) {
        this.#exporter.getMetricsRequestHandler(request, response)
        return
      }
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`The metrics are at ${where.path}\n`)
    })
    this.#server.on('connection', (socket) => socket.unref())
    this.#server.unref()
  }

  /** While it listens. */
  get url(): string | undefined {
    const address = this.#server.address() as AddressInfo | null
    if (address === null) return undefined
    const host = this.#where.host ?? 'localhost'
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}${this.#where.path}`
  }

  /** Rejects with CONFIG_INVALID if it can't listen there. */
  listen(): Promise<void> {
    const { port, host } = this.#where
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(cannotListen(this.#where, error)))
      this.#server.listen({ port, host }, resolve)
    })
  }

  async close(): Promise<void> {
    if (this.#server.listening) {
      const closed = new Promise((resolve) => this.#server.close(resolve))
      this.#server.closeAllConnections()
      await closed
    }
    await this.#provider.shutdown()
  }
}

function cannotListen({ port, host }: Where, error: NodeJS.ErrnoException): BuswayError {
  const at = host === undefined ? `port ${port}` : `port ${port} of ${host}`
  const why =
    error.code === 'EADDRINUSE'
      ? `${at} is taken (EADDRINUSE), probably by another service on this host. Give each its own with the option prometheus.port, or 0 for any that is free: the log and bus.metrics.url say which`
      : `${at} cannot be listened on (${error.code ?? error.message}). Correct the options prometheus.port and prometheus.host`
  return new BuswayError('CONFIG_INVALID', `metrics: ${why}.`, {
    cause: error,
    details: { option: 'prometheus.port', port, ...(host === undefined ? {} : { host }) },
  })
}
