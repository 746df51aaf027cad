/** How messages of a flow are called, and how they say which node they are. */

/** `<flow> <node> <run>`, on every message of a flow. */
export const FLOW_HEADER = 'busway-flow'
/** On the message that starts a flow: `<flow> <draft>`. */
export const COMMIT_HEADER = 'busway-flow-commit'

export interface Address {
  readonly flow: string
  readonly node: number
  readonly run: number
}

export const messageId = (flow: string, node: number, run: number): string =>
  run === 1 ? `${flow}/${node}` : `${flow}/${node}~${run}`

export function parseId(id: string): Address | undefined {
  const found = /^(.+)\/(\d+)(?:~(\d+))?$/.exec(id)
  if (found === null) return undefined
  return { flow: found[1] as string, node: Number(found[2]), run: Number(found[3] ?? 1) }
}

/** The flow of the children that a node's handler added in a run. */
export const additionOf = (flow: string, node: number, run: number): string => `${flow}/${node}~${run}`

/** What a message's headers say, if they are its own and not copied from another's. */
export function addressOf(id: unknown, headers: Readonly<Record<string, string>>): Address | undefined {
  const [flow = '', node, run] = (headers[FLOW_HEADER] ?? '').split(' ')
  const address = { flow, node: Number(node), run: Number(run) }
  return id === messageId(flow, address.node, address.run) ? address : undefined
}
