/** What the plugin adds to the bus, as types. Nothing here runs. */
import type { Duration, Page, PageOptions, PublishOptionsCore, Receipt } from '@busway/bus'

/** The options of the plugin. */
export interface ScheduleOptions {
  /** Whether this process fires what is due. `false`: it only looks after schedules, and may end by itself. Default: true. */
  fire?: boolean
  /** How many due schedules this process fires at once. Default: 10. */
  concurrency?: number
  /** How long after its death others fire what this process was about to. Default: `10s`. */
  lease?: Duration
}

/** What to do when a time was due and nobody was there to fire: not at all, once for all of them, or each. */
export type MissedPolicy = 'skip' | 'once' | 'all'

/** What a schedule publishes, and when. One of `cron` and `every` says when. */
export interface ScheduleSpec<Topic extends string = string, Body = unknown> extends PassedOn {
  topic: Topic
  body: Body
  /** Five fields (minute hour day-of-month month day-of-week), or six with seconds first; or `@daily` and the like. */
  cron?: string
  /** A fixed time from one to the next, at least 100 ms, counted from `startAt`. */
  every?: Duration
  /** An IANA time zone, for `cron`. Default: `UTC`. */
  timezone?: string
  /** No time before this. Default: from when it is first made. */
  startAt?: Date
  /** No time after this: then the schedule is over. Default: never. */
  endAt?: Date
  /** So many times in all, then it is over. Default: no limit. */
  limit?: number
  /** `skip`: a time is left out while a group has not ended what the time before it published. Default: `allow`. */
  overlap?: 'allow' | 'skip'
  /**
   * About times that passed while nobody fired, by more than a minute or beyond the next one: `skip` leaves them out, `once` publishes the last of them,
   * `all` each. Default: `once`.
   */
  missed?: MissedPolicy
}

/** Options of `publish` that each message is published with. */
export interface PassedOn
  extends Pick<PublishOptionsCore, 'type' | 'key' | 'headers' | 'priority' | 'position' | 'expiresIn' | 'keepResult'> {}

/** A schedule as it is kept. */
export interface Schedule extends ScheduleSpec {
  readonly id: string
  readonly paused: boolean
  /** When it is due next; absent when it is paused or over. */
  readonly nextAt?: Date
  /** The time that was last published, and the id of that message. */
  readonly lastAt?: Date
  readonly lastId?: string
  /** How often it has published. */
  readonly fired: number
  /** Why its last time could not be published: its body does not fit the topic's schema, for example. It goes on with the next. */
  readonly lastError?: string
}

/** `bus.schedules`. Works from any process that has the plugin. All of it rejects with `INVALID_OPTIONS` for bad input, before anything is written. */
export interface Schedules<T extends object = Record<string, unknown>> {
  /**
   * Makes a schedule, or changes it. The same again changes nothing, so every process may do it when it starts. Resolves with the schedule.
   *
   * @example
   * await bus.schedules.upsert('nightly', { topic: 'reports.wanted', body: { kind: 'day' }, cron: '0 3 * * *', timezone: 'Europe/Oslo' })
   */
  upsert<K extends keyof T & string>(id: string, spec: ScheduleSpec<K, T[K]>): Promise<Schedule>
  /** `null` if there is none of that name. */
  get(id: string): Promise<Schedule | null>
  /** A page of all, in the order of their names. */
  list(options?: PageOptions): Promise<Page<Schedule>>
  /** Nothing is published until `resume`. Resolves with whether there is such a schedule. */
  pause(id: string): Promise<boolean>
  /** Goes on with the next time from now on. Resolves with whether there is such a schedule. */
  resume(id: string): Promise<boolean>
  /** Publishes at once, beside its times and uncounted. `null` if there is none of that name. */
  runNow(id: string): Promise<Receipt | null>
  /** Ends it. What it has published stays. Resolves with whether there was one. */
  remove(id: string): Promise<boolean>
}

declare module '@busway/bus' {
  interface PluginTypes<T> {
    schedule: { bus: { readonly schedules: Schedules<T> } }
  }
}
