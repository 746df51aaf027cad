/** What callers are told of a publish that was refused: by a plugin's guard, or because too many messages wait. */
import { MAX_WAITING, type PublishOutcome } from '@busway/lua'
import { BuswayError } from '../errors/busway-error.js'

type Rejection = Extract<PublishOutcome, { verdict: 'reject' }>

/** There is no room now, and there may be later. */
export const isForLackOfRoom = ({ guard, retryMs }: Rejection): boolean =>
  guard === MAX_WAITING && retryMs !== undefined

export function rejected(topic: string, rejection: Rejection): BuswayError {
  const { guard, reason, retryMs } = rejection
  if (guard === MAX_WAITING) {
    const advice = isForLackOfRoom(rejection)
      ? 'Publish again when consumers have caught up, or raise maxWaiting'
      : 'Split it, or raise maxWaiting'
    return noRoom(`The publish to ${topic} was refused: ${reason}. ${advice}.`, reason)
  }
  const advice = retryMs === undefined ? '' : ` Publish again in ${retryMs} ms.`
  return new BuswayError(
    'PUBLISH_REJECTED',
    `The guard ${guard} refused the publish to ${topic}: ${reason}.${advice}`,
    {
      details: { guard, reason, ...(retryMs === undefined ? {} : { retryMs }) },
    },
  )
}

/** It waited for room, and nothing of it was written. `until`: why it waits no longer. */
export const gaveUpWaiting = (topic: string, reason: string, until: string, cause?: unknown): BuswayError =>
  noRoom(
    `The publish to ${topic} waited for room ${until}: ${reason}. Publish again when consumers have caught up, or raise maxWaiting or publishTimeout.`,
    reason,
    cause,
  )

const noRoom = (message: string, reason: string, cause?: unknown): BuswayError =>
  new BuswayError('PUBLISH_REJECTED', message, {
    details: { guard: MAX_WAITING, reason },
    ...(cause === undefined ? {} : { cause }),
  })
