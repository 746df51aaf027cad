/** All that the plugins declared, composed into what publishing and consuming run through. */
import type { Events, Logger, PublishBatch, Receipt } from '../api/index.js'
import { BuswayError } from '../errors/index.js'
import type { Pipeline } from '../seams.js'
import { type Chain, compose, type Link } from './chain.js'
import type { Declared } from './declared.js'
import { registerGuards } from './guards.js'
import { nameOwned } from './keys.js'

/** `plugins` in their order, outermost first. */
export function composePipeline(plugins: readonly Declared[], log: Logger, strict: boolean): Pipeline {
  const links = <Subject, Result>(
    of: (declared: Declared) => readonly Link<Subject, Result>['run'][],
    onNext?: (plugin: string, subject: Subject) => void,
  ) =>
    plugins.flatMap((declared) => {
      const { name } = declared.plugin
      const next = onNext && ((subject: Subject) => onNext(name, subject))
      return of(declared).map((run): Link<Subject, Result> => ({ from: `plugin '${name}'`, run, onNext: next }))
    })
  const options = { publish: optionsOf(plugins, 'publish'), consume: optionsOf(plugins, 'consume') }
  const observers = observersOf(plugins)
  return {
    publish: withReceipts(
      compose([...links((d) => d.enrich, nameOwned), ...links((d) => d.encode, nameOwned)], strict),
    ),
    enrich: withReceipts(
      compose(
        links((d) => d.enrich, nameOwned),
        strict,
      ),
    ),
    encode: compose(
      links((d) => d.encode, nameOwned),
      strict,
    ),
    decode: compose(
      links((d) => d.decode),
      strict,
    ),
    handle: compose(
      links((d) => d.handle),
      strict,
    ),
    batch: compose(
      links((d) => d.batch),
      strict,
    ),
    guards: registerGuards(plugins),
    listens: (event) => observers[event].length > 0,
    emit: (event, payload) => notify(observers[event], event, payload, log),
    checkOption(where, name, value) {
      const option = options[where].get(name)
      if (option === undefined) throw new BuswayError('INVALID_OPTIONS', `${where}: no plugin has an option '${name}'.`)
      const expected = option.check(value)
      if (expected === undefined) return
      throw new BuswayError(
        'INVALID_OPTIONS',
        `${where}: ${name} of plugin '${option.plugin}' should be ${expected}.`,
        {
          details: { option: name, plugin: option.plugin },
        },
      )
    },
    optionNames: (where) => [...options[where].keys()],
    context: new Map(plugins.flatMap(({ context }) => [...context])),
    logBindings: bindingsOf(plugins, log),
  }
}

/** The kernel answers one receipt per message; a plugin that answers for it must too. */
function withReceipts(chain: Chain<PublishBatch, Receipt[]> | undefined): Pipeline['publish'] {
  if (chain === undefined) return undefined
  return (batch, send) => {
    let sent: Promise<Receipt[]> | undefined
    const answer = chain(batch, () => {
      sent = send()
      return sent
    })
    return answer === sent ? answer : answer.then((receipts) => checkReceipts(batch, receipts))
  }
}

function checkReceipts({ topic, messages }: PublishBatch, receipts: Receipt[]): Receipt[] {
  if (Array.isArray(receipts) && receipts.length === messages.length) return receipts
  throw new BuswayError(
    'PLUGIN_MISUSE',
    `A publish middleware on '${topic}' answered no receipts: one for each of ${messages.length}; return what next() gives.`,
  )
}

function optionsOf(plugins: readonly Declared[], where: 'publish' | 'consume') {
  return new Map(
    plugins.flatMap(({ plugin, options }) =>
      [...options[where]].map(([name, check]) => [name, { plugin: plugin.name, check }] as const),
    ),
  )
}

type Named<E extends keyof Events> = { readonly plugin: string; readonly observer: (event: Events[E]) => void }

function observersOf(plugins: readonly Declared[]): { readonly [E in keyof Events]: readonly Named<E>[] } {
  const of = <E extends keyof Events>(event: E): Named<E>[] =>
    plugins.flatMap(({ plugin, observers }) => observers[event].map((observer) => ({ plugin: plugin.name, observer })))
  return {
    published: of('published'),
    subscribed: of('subscribed'),
    fetched: of('fetched'),
    settled: of('settled'),
    recovered: of('recovered'),
    redriven: of('redriven'),
    connection: of('connection'),
  }
}

function notify<E extends keyof Events>(
  observers: readonly Named<E>[],
  event: E,
  payload: Events[E],
  log: Logger,
): void {
  for (const { plugin, observer } of observers) {
    const failed = (error: unknown): void =>
      log.error({ err: error, plugin, event }, 'An observer failed; what it observed is not affected')
    try {
      // An async function passes for an observer; its rejection must not end the process.
      const result: unknown = observer(payload)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

function bindingsOf(plugins: readonly Declared[], log: Logger): Pipeline['logBindings'] {
  const all = plugins.flatMap(({ plugin, logBindings }) =>
    logBindings.map((bindings) => ({ plugin: plugin.name, bindings })),
  )
  return () => {
    const merged: Record<string, unknown> = {}
    for (const { plugin, bindings } of all) {
      try {
        Object.assign(merged, bindings())
      } catch (error) {
        log.error({ err: error, plugin }, 'The log bindings of a plugin failed; they were left out')
      }
    }
    return merged
  }
}
