import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { tracing } from '@opentelemetry/sdk-node'
import { type SpanLine, spanFileOf } from './span-line.js'

type Span = Parameters<tracing.SpanExporter['export']>[0][number]
type Done = Parameters<tracing.SpanExporter['export']>[1]

/** Writes spans to a file, as an exporter of OpenTelemetry. */
export class SpanFile implements tracing.SpanExporter {
  readonly #file: number
  readonly #process: string

  constructor(folder: string, process: string) {
    this.#file = openSync(join(folder, spanFileOf(process)), 'a')
    this.#process = process
  }

  export(spans: Span[], done: Done): void {
    for (const span of spans) writeSync(this.#file, `${JSON.stringify(this.#lineOf(span))}\n`)
    // ExportResultCode.SUCCESS
    done({ code: 0 })
  }

  async shutdown(): Promise<void> {
    closeSync(this.#file)
  }

  #lineOf(span: Span): SpanLine {
    const { traceId, spanId } = span.spanContext()
    const parent = span.parentSpanContext?.spanId
    const attempt = span.attributes['busway.message.attempt']
    const error = span.attributes['error.type']
    return {
      process: this.#process,
      name: span.name,
      trace: traceId,
      span: spanId,
      ...(parent === undefined ? {} : { parent }),
      startMs: msOf(span.startTime),
      endMs: msOf(span.endTime),
      ...(typeof attempt === 'number' ? { attempt } : {}),
      ...(typeof error === 'string' ? { error } : {}),
    }
  }
}

const msOf = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6
