/** The host's side of a run: what the handler does over there happens here, on the delivery's own context. */
import { AsyncResource } from 'node:async_hooks'
import type { ConsumeContext, Logger, Message } from '@busway/bus'
import { writeError } from './errors.js'
import type { Channel, FromGuest, FromHost, Task } from './protocol.js'
import { carrierOf } from './trace.js'

const FIELDS = [
  'id',
  'topic',
  'type',
  'source',
  'time',
  'key',
  'headers',
  'body',
  'contentType',
  'attempt',
  'redelivered',
] as const

/** The task of a delivery. Plugins' plain values on the context are read once, here. */
export async function taskOf(url: string, message: Message, context: ConsumeContext): Promise<Task> {
  const added = Object.entries(addedTo(context))
  return {
    url,
    message: Object.fromEntries(FIELDS.map((name) => [name, message[name]])),
    group: context.group,
    values: Object.fromEntries(added.filter(([, value]) => typeof value !== 'function')),
    functions: added.filter(([, value]) => typeof value === 'function').map(([name]) => name),
    carrier: await carrierOf(),
    isAborted: context.signal.aborted,
  }
}

/** Serves what the guest asks for, until the channel is closed. In the async context of the handler's call, so that what it publishes is its own. */
export function serve(context: ConsumeContext, channel: Channel<FromHost, FromGuest>, started: () => void): void {
  channel.listen(
    AsyncResource.bind((message: FromGuest) => {
      if ('started' in message) started()
      else void heard(context, channel, message)
    }),
  )
}

async function heard(
  context: ConsumeContext,
  channel: Channel<FromHost, FromGuest>,
  message: Exclude<FromGuest, { started: true }>,
): Promise<void> {
  if ('log' in message) {
    const log = Object.keys(message.bindings).length === 0 ? context.log : context.log.child(message.bindings)
    const [fields, text] = message.args
    log[message.log as Exclude<keyof Logger, 'level' | 'child'>]?.(fields, text as string)
    return
  }
  if ('progress' in message) {
    try {
      context.progress(message.progress)
    } catch (error) {
      context.log.warn({ err: error }, 'What a sandboxed handler said of its progress cannot be told')
    }
    return
  }
  const { call, name, args } = message
  try {
    channel.send({ answer: call, value: await callOf(context, name, args) })
  } catch (error) {
    channel.send({ answer: call, error: writeError(error) })
  }
}

async function callOf(context: ConsumeContext, name: string, args: readonly unknown[]): Promise<unknown> {
  const called: unknown = name === 'publish' ? context.publish : addedTo(context)[name]
  if (typeof called !== 'function') throw new TypeError(`The context has no function ${name}.`)
  return called.apply(context, args)
}

/** What plugins put on the context is enumerable, and what the kernel has there is not; a test's own context may have all of it enumerable. */
function addedTo(context: ConsumeContext): Record<string, unknown> {
  const added: Record<string, unknown> = {}
  for (const name in context)
    if (!KERNELS.includes(name)) added[name] = (context as unknown as Record<string, unknown>)[name]
  return added
}

const KERNELS: readonly string[] = ['group', 'signal', 'log', 'publish', 'progress'] satisfies (keyof ConsumeContext)[]
