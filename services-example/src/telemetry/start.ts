/** OpenTelemetry's SDK for one service, loaded by `node --import` before anything else: spans go to a file of the run. */
import { NodeSDK, tracing } from '@opentelemetry/sdk-node'
import { settings } from '../settings.js'
import { SpanFile } from './span-file.js'

/** About so many flights are traced, however many there are. */
const TRACED_FLIGHTS = 200

const ratio = Math.min(1, TRACED_FLIGHTS / settings.flights())
new NodeSDK({
  serviceName: settings.processName(),
  // By the trace's id: what one process records, all do.
  sampler: new tracing.ParentBasedSampler({ root: new tracing.TraceIdRatioBasedSampler(ratio) }),
  // At once, so that a process that is killed leaves what it has seen.
  spanProcessors: [new tracing.SimpleSpanProcessor(new SpanFile(settings.folder(), settings.processName()))],
  metricReaders: [],
  logRecordProcessors: [],
}).start()
