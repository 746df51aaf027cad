/** Which topics a pattern means: `*` is one token, `>` (last) the rest, tokens are separated by dots. */
import type { TopicName } from './topics.js'

type Tokens<S extends string> = S extends `${infer Head}.${infer Rest}` ? [Head, ...Tokens<Rest>] : [S]

type MatchesTokens<P extends string[], N extends string[]> = P extends [
  infer PatternHead extends string,
  ...infer PatternRest extends string[],
]
  ? PatternHead extends '>'
    ? N extends [string, ...string[]]
      ? true
      : false
    : N extends [infer NameHead extends string, ...infer NameRest extends string[]]
      ? PatternHead extends '*' | NameHead
        ? MatchesTokens<PatternRest, NameRest>
        : false
      : false
  : N extends []
    ? true
    : false

type AnyPattern = `${string}*${string}` | `${string}>`

/** The names in `T` that `P` means: itself if it is one, else those that match it. Without known topics any string. */
export type Matching<T, P extends string> =
  P extends TopicName<T>
    ? P extends AnyPattern
      ? TopicName<T>
      : P
    : { [K in TopicName<T>]: MatchesTokens<Tokens<P>, Tokens<K>> extends true ? K : never }[TopicName<T>]

/** `P` if it names a topic of `T` or matches one; else all names, so that the error says what there is. */
export type TopicOrPattern<T, P extends string> =
  string extends TopicName<T> ? P : [Matching<T, P>] extends [never] ? TopicName<T> : P

/** What may stand for a topic where its name is a type argument. */
export type TopicPattern<T> = TopicName<T> | AnyPattern

/** A group that takes part in all topics that a pattern matches: those that there are, and those to come. */
export interface PatternInfo {
  readonly pattern: string
  readonly group: string
  /** When it was first subscribed, by Redis' clock. */
  readonly since: Date
}
