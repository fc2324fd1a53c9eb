/** Prints the spans that OpenTelemetry's own SDK has got of a program that runs, and of one that does not. */
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Image, Runtime } from 'libhako';
import { traceOperations } from '../../examples/opentelemetry.mjs';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const runtime = await Runtime.open({ root: process.argv[2] });
const stop = traceOperations(provider.getTracer('test'));
const image = Image.fromHost();
await runtime.run({ image, command: ['true'], name: 'traced' });
await runtime.run({ image, command: ['/no/such'] }).catch(() => {});
stop();
await runtime.run({ image, command: ['true'] });
await runtime.close();
console.log(
  JSON.stringify(
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      attributes: span.attributes,
      events: span.events.map(({ name }) => name),
      milliseconds: span.duration[0] * 1e3 + span.duration[1] / 1e6,
    })),
  ),
);
