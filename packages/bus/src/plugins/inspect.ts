/** What `bus.inspect()` answers: the pipeline as data that prints as a page for people. */
import { inspect as nodeInspect } from 'node:util'
import type { Events, Inspection } from '../api/index.js'
import type { Declared } from './declared.js'

/** `plugins` in their order, outermost first. */
export function inspectPlugins(service: string, plugins: readonly Declared[]): Inspection {
  const having = (of: (declared: Declared) => { readonly length: number }): string[] =>
    plugins.filter((declared) => of(declared).length > 0).map(({ plugin }) => plugin.name)
  const named = (of: (declared: Declared) => readonly { readonly name: string }[]): string[] =>
    plugins.flatMap((declared) => of(declared).map(({ name }) => `${declared.plugin.name}/${name}`))
  const owners = (of: (declared: Declared) => Iterable<string>): Record<string, string> =>
    Object.fromEntries(plugins.flatMap((declared) => [...of(declared)].map((name) => [name, declared.plugin.name])))
  const observers = (event: keyof Events): string[] => having((declared) => declared.observers[event])
  const facts: Omit<Inspection, 'toString'> = {
    service,
    plugins: plugins.map(({ plugin: { name, requires = [], before = [], after = [] } }) => ({
      name,
      requires,
      before,
      after,
    })),
    chains: {
      enrich: having((declared) => declared.enrich),
      encode: having((declared) => declared.encode),
      decode: having((declared) => declared.decode),
      handle: having((declared) => declared.handle),
      batch: having((declared) => declared.batch),
    },
    guards: {
      publish: named(({ guards }) => guards.filter(({ at }) => at === 'publish')),
      fetch: named(({ guards }) => guards.filter(({ at }) => at === 'fetch')),
      settle: named(({ guards }) => guards.filter(({ at }) => at === 'settle')),
    },
    scripts: named(({ scripts }) => scripts),
    options: {
      publish: owners(({ options }) => options.publish.keys()),
      consume: owners(({ options }) => options.consume.keys()),
    },
    context: owners(({ context }) => context.keys()),
    bus: owners(({ additions }) => additions),
    observers: {
      published: observers('published'),
      subscribed: observers('subscribed'),
      fetched: observers('fetched'),
      settled: observers('settled'),
      recovered: observers('recovered'),
      redriven: observers('redriven'),
      connection: observers('connection'),
    },
  }
  return printable(facts)
}

/** Its text is not part of the data: neither a comparison nor JSON sees it, console.log and templates show it. */
function printable(facts: Omit<Inspection, 'toString'>): Inspection {
  const text = () => printed(facts)
  Object.defineProperty(facts, 'toString', { value: text })
  Object.defineProperty(facts, nodeInspect.custom, { value: text })
  return facts
}

function printed({
  service,
  plugins,
  chains,
  guards,
  scripts,
  options,
  context,
  bus,
  observers,
}: Omit<Inspection, 'toString'>): string {
  const rows: [string, string][] = [
    ['plugins', plugins.map(described).join(' > ')],
    ...chainRows('publish', { enrich: chains.enrich, encode: chains.encode }),
    ...chainRows('consume', { decode: chains.decode, handle: chains.handle, batch: chains.batch }),
    ...Object.entries(guards).map(([at, names]): [string, string] => [`guards ${at}`, names.join(', ')]),
    ['scripts', scripts.join(', ')],
    ...Object.entries(options).map(([where, owned]): [string, string] => [`options ${where}`, ownedBy(owned)]),
    ['context', ownedBy(context)],
    ['bus', ownedBy(bus)],
    ...Object.entries(observers).map(([event, names]): [string, string] => [`observe ${event}`, names.join(', ')]),
  ]
  const shown = rows.filter(([, value]) => value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return [`service ${service}`, ...shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join('\n')
}

const chainRows = (side: string, stages: Record<string, readonly string[]>): [string, string][] =>
  Object.entries(stages).map(([stage, names]) => [`${side} ${stage}`, names.join(' > ')])

const ownedBy = (owned: Readonly<Record<string, string>>): string =>
  Object.entries(owned)
    .map(([name, plugin]) => `${name} (${plugin})`)
    .join(', ')

function described({ name, requires, before, after }: Inspection['plugins'][number]): string {
  const conditions = [
    ...requires.map((other) => `requires ${other}`),
    ...before.map((other) => `before ${other}`),
    ...after.map((other) => `after ${other}`),
  ]
  return conditions.length === 0 ? name : `${name} (${conditions.join(', ')})`
}
