/** A span as a line of a file. */
export interface SpanLine {
  readonly process: string
  readonly name: string
  readonly trace: string
  readonly span: string
  readonly parent?: string
  readonly startMs: number
  readonly endMs: number
  /** Of its attributes those that people look for. */
  readonly attempt?: number
  readonly error?: string
}

/** The name of a process' file. */
export const spanFileOf = (process: string): string => `${process}.spans.jsonl`
export const isSpanFile = (file: string): boolean => file.endsWith('.spans.jsonl')
