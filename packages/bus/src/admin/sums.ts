/** The numbers of a topic with partitions, from those of each. */
import type { GroupStats, TopicStats } from '../api/index.js'

export function sumOfTopics(parts: readonly TopicStats[]): TopicStats {
  const names = new Set(parts.flatMap(({ groups }) => Object.keys(groups)))
  const retained = sum(parts, (part) => part.retained ?? 0)
  const groups: Record<string, GroupStats> = {}
  for (const name of names)
    groups[name] = sumOfGroups(
      parts.flatMap((part) => (Object.hasOwn(part.groups, name) ? [part.groups[name] as GroupStats] : [])),
    )
  return {
    scheduled: sum(parts, ({ scheduled }) => scheduled),
    unclaimed: sum(parts, ({ unclaimed }) => unclaimed),
    outbox: sum(parts, ({ outbox }) => outbox),
    ...(retained > 0 && { retained }),
    groups,
  }
}

export function sumOfGroups(parts: readonly GroupStats[]): GroupStats {
  const replaying = sum(parts, (part) => part.replaying ?? 0)
  return {
    ready: sum(parts, ({ ready }) => ready),
    inFlight: sum(parts, ({ inFlight }) => inFlight),
    retrying: sum(parts, ({ retrying }) => retrying),
    held: sum(parts, ({ held }) => held),
    dead: sum(parts, ({ dead }) => dead),
    paused: parts.some(({ paused }) => paused),
    // Each consumer has a session in every partition.
    consumers: Math.max(...parts.map(({ consumers }) => consumers)),
    oldestReadyMs: Math.max(...parts.map(({ oldestReadyMs }) => oldestReadyMs)),
    ...(replaying > 0 && { replaying }),
  }
}

export const sum = <T>(parts: readonly T[], of: (part: T) => number): number =>
  parts.reduce((total, part) => total + of(part), 0)
