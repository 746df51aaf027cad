/** Ends one message wherever it waits, group by group; those that run it may be asked to stop. */
import { cancel } from '@busway/lua'
import type { CancelOptions } from '../api/index.js'
import type { AdminDependencies } from '../seams.js'
import { checkNames, checkOptionsObject, invalidOption } from '../validate/options.js'
import { randomId } from '../wire/index.js'

/** `id` is checked already. Resolves with whether something of it was ended, or is being stopped. */
export async function cancelMessage(
  { runner, relayer }: Pick<AdminDependencies, 'runner' | 'relayer'>,
  topic: string,
  id: string,
  options: CancelOptions = {},
): Promise<boolean> {
  checkOptionsObject('cancel', options)
  checkNames('cancel', options, ['inFlight'])
  const { inFlight = false } = options
  if (typeof inFlight !== 'boolean') throw invalidOption('inFlight', inFlight, 'true or false')
  const request = { id, token: randomId(), tell: inFlight }
  let ended = 0
  let told = 0
  let cursor: string | undefined
  do {
    const reply = await runner.runRepeatable(cancel, topic, cursor === undefined ? request : { ...request, cursor })
    ended = reply.ended
    told += reply.told
    cursor = reply.cursor
    if (reply.outbox) relayer.kick(topic)
  } while (cursor !== undefined)
  return ended + told > 0
}
