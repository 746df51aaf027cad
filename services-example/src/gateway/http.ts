import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Desk } from './desk.js'

/** The gateway's routes: `POST /notifications`, `DELETE /notifications/<flight>`, and for its operator `GET /counts`, `GET /report` and `POST /repair`. */
export function answerWith(desk: Desk): RequestListener {
  return async (request, response) => {
    const [, withdrawn] = /^DELETE \/notifications\/(\d+)$/.exec(`${request.method} ${request.url}`) ?? []
    if (withdrawn !== undefined) {
      if (desk.withdraw(Number(withdrawn))) response.writeHead(204).end()
      else response.writeHead(404).end('There is no such notice.')
      return
    }
    switch (`${request.method} ${request.url}`) {
      case 'POST /notifications': {
        const notification = await notificationIn(request)
        if (notification === undefined) {
          response.writeHead(400).end('A notification is JSON with the number of a flight and the name of a place.')
          return
        }
        const answer = desk.notify(notification.flight, notification.place)
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

async function notificationIn(request: IncomingMessage): Promise<{ flight: number; place: string } | undefined> {
  try {
    const { flight, place } = (await json(request)) as { flight?: unknown; place?: unknown }
    return typeof flight === 'number' && typeof place === 'string' ? { flight, place } : undefined
  } catch {
    return undefined
  }
}
