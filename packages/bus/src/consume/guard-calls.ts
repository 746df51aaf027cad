/** What a subscription's guards are given with every request: asked once, when it starts. */
import type { AdvanceRequest, SettleGuardCall } from '@busway/lua'
import type { RunSubject } from './run.js'

export function guardsOf({
  pipeline,
  topic,
  group,
  options,
  partitions,
}: RunSubject): Pick<AdvanceRequest, 'fetchGuardCalls' | 'guardKeys'> {
  const { fetch, settle } = pipeline.guards
  if (fetch.length === 0 && settle.length === 0) return {}
  const fetchGuardCalls: SettleGuardCall[] = []
  fetch.forEach((guard, position) => {
    const args = guard.args({ topic, group, options, partitions })
    if (args !== undefined) fetchGuardCalls.push({ guard: position, args })
  })
  const guardKeys = {
    fetch: fetch.map((guard) => guard.keys(topic, group)),
    settle: settle.map((guard) => guard.keys(topic, group)),
  }
  return fetchGuardCalls.length === 0 ? { guardKeys } : { guardKeys, fetchGuardCalls }
}
