import type { Plugin } from '@busway/bus'
import type { JournalFile } from './journal-file.js'

/** The flight that a message is about; `undefined` for a question that is about none. Its books are whether it was answered, which its asker knows. */
const flightOf = (body: unknown) => (body as { flight?: number }).flight

/**
 * Writes down what the bus says it did: publishes, runs, settles. So the services themselves need not know that their
 * work is audited.
 */
export const journal = (file: JournalFile): Plugin<'journal'> => ({
  name: 'journal',
  api: 1,
  setup(scope) {
    scope.publish('enrich', async (batch, next) => {
      // Before they are encoded.
      const flights = batch.messages.map(({ body }) => flightOf(body))
      const receipts = await next()
      // What a settle stages is only promised here; its consumers are the proof that it came.
      if (batch.via !== 'publish') return receipts
      flights.forEach((flight, i) => {
        const receipt = receipts[i]
        if (receipt?.status !== 'accepted' || flight === undefined) return
        file.append({ kind: 'published', topic: batch.topic, message: receipt.id, flight })
      })
      return receipts
    })

    scope.consume('handle', ({ message, group }, next) => {
      const { id, attempt, redelivered, time } = message
      const at = Date.now()
      const waitedMs = at - time.getTime()
      const flight = flightOf(message.body)
      if (flight !== undefined)
        file.append({ kind: 'run', group, message: id, flight, attempt, redelivered, at, waitedMs })
      return next()
    })

    scope.observe('settled', ({ delivery, outcome, refused }) => {
      if (outcome.kind === 'released' || flightOf(delivery.message.body) === undefined) return
      file.append({
        kind: 'settled',
        group: delivery.group,
        message: delivery.message.id,
        outcome: outcome.kind,
        ...(refused && { refused: true }),
        ...(outcome.kind !== 'done' && { error: outcome.error.name }),
        at: Date.now(),
      })
    })
  },
})
