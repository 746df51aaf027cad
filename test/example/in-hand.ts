import type { ConsumeContext, MessageOf } from '@busway/bus'

/** A message as a handler gets it. */
export function message<N extends string, Body>(topic: N, body: Body): MessageOf<N, Body> {
  return {
    id: 'test-1-0.0',
    topic,
    type: topic,
    source: 'test',
    time: new Date(0),
    headers: {},
    body,
    contentType: 'application/json',
    attempt: 1,
    redelivered: false,
  }
}

/** A context that keeps what is staged. */
export function context(group: string) {
  const staged: { topic: string; body: unknown; key: string | undefined }[] = []
  const publish = async (topic: string, body: unknown, options?: { key?: string }) => {
    staged.push({ topic, body, key: options?.key })
  }
  const ctx = { group, signal: new AbortController().signal, publish } as unknown as ConsumeContext
  return { ctx, staged }
}
