import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Desk } from './desk.js'

/** The gateway's routes: `POST /notifications`, and for its operator `GET /counts`, `GET /report` and `POST /repair`. */
export function answerWith(desk: Desk): RequestListener {
  return async (request, response) => {
    switch (`${request.method} ${request.url}`) {
      case 'POST /notifications': {
        const flight = await flightOf(request)
        if (flight === undefined) {
          response.writeHead(400).end('A notification is JSON with the number of a flight.')
          return
        }
        const answer = desk.notify(flight)
        response.writeHead(answer === 'refused' ? 503 : 202).end(answer)
        return
      }
      case 'POST /repair':
        desk.repair()
        response.writeHead(204).end()
        return
      case 'GET /counts':
        answerJson(response, desk.counts())
        return
      case 'GET /report':
        answerJson(response, desk.report())
        return
      default:
        response.writeHead(404).end()
    }
  }
}

function answerJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

async function flightOf(request: IncomingMessage): Promise<number | undefined> {
  try {
    const { flight } = (await json(request)) as { flight?: unknown }
    return typeof flight === 'number' ? flight : undefined
  } catch {
    return undefined
  }
}
