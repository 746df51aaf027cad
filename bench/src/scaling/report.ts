/** The measurements as Markdown, and what they say on paper. */
import type { Scaling, Spread } from './measure.js'

/** Of a core that Redis is planned to use: beyond it waiting times grow quickly. */
export const PLANNED = 0.6
export const GOAL = 1_000_000

export function report({ spreads, sizes, renewalUs, relayedUs }: Scaling): string {
  const bySize = sizes.map(({ size, requestUs }) => [
    count(size),
    us(requestUs),
    us(requestUs / size),
    count(perSecond(requestUs / size)),
    count(perSecond(requestUs)),
  ])
  return [
    '### By masters and partitions',
    table(
      [
        'masters',
        'partitions',
        'keys',
        'publish, µs',
        'consume, µs',
        'scripts a message',
        'share of the busiest master',
        'planned a second',
      ],
      spreads.map((spread) => [
        count(spread.masters),
        count(spread.partitions),
        spread.keys === 0 ? '-' : count(spread.keys),
        us(spread.publishUs),
        us(spread.consumeUs),
        spread.scripts.toPrecision(2),
        `${Math.round(spread.greatestShare * 100)} %`,
        count(planned(spread)),
      ]),
    ),
    '### By the size of a request',
    table(
      [
        'messages in a publish',
        'a request, µs',
        'a message, µs',
        'messages a second and master',
        'requests a second and master',
      ],
      bySize,
    ),
    '### What else is paid',
    table(
      ['what', 'µs of Redis'],
      [
        ['an idle session renews its lease', us(renewalUs)],
        ["a handler's publish to another slot, by the outbox: more than without it", us(relayedUs)],
      ],
    ),
    '### Masters for a million messages a second',
    table(
      ['messages', 'µs a message, published and consumed', 'masters'],
      spreads
        .filter(({ masters, partitions }) => masters === 3 && partitions === 12)
        .map((spread) => {
          const each = spread.publishUs + spread.consumeUs
          return [
            spread.keys === 0 ? 'without keys' : `with ${count(spread.keys)} keys`,
            us(each),
            count(mastersFor(each)),
          ]
        }),
    ),
  ].join('\n\n')
}

/** Messages a second that so much work leaves a master. */
const perSecond = (messageUs: number): number => (PLANNED * 1e6) / messageUs
const mastersFor = (messageUs: number): number => Math.ceil(GOAL / perSecond(messageUs))
/** The busiest master has reached what is planned. */
const planned = ({ publishUs, consumeUs, greatestShare }: Spread): number =>
  perSecond((publishUs + consumeUs) * greatestShare)

const us = (value: number): string => value.toPrecision(3)
const count = (value: number): string => Number(value.toPrecision(3)).toLocaleString('en')

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
