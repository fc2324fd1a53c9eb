/**
 * Every operation as a span of OpenTelemetry: nested as the calls are, below whatever span the caller is in.
 *
 *     npm install @opentelemetry/api
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { operationChannel, operationNames } from 'libhako';

/**
 * Makes spans from now on; returns what ends that.
 *
 * @param {import('@opentelemetry/api').Tracer} tracer
 */
export function traceOperations(tracer) {
  const current = new AsyncLocalStorage();
  const spans = new WeakMap();

  const open = (operation) => {
    const parent = current.getStore();
    const around = parent === undefined ? context.active() : trace.setSpan(context.active(), parent);
    const options = { kind: SpanKind.INTERNAL, startTime: operation.startedAt };
    const span = tracer.startSpan(`hako ${operation.operation}`, options, around);
    spans.set(operation, span);
    return span;
  };
  const close = (operation) => {
    const span = spans.get(operation);
    span?.setAttributes(attributesOf(operation));
    if (operation.error !== undefined) {
      span?.recordException(operation.error);
      span?.setStatus({ code: SpanStatusCode.ERROR, message: operation.error.message });
    }
    span?.end();
  };

  const channels = operationNames.map(operationChannel);
  for (const { start, asyncEnd } of channels) {
    start.bindStore(current, open);
    asyncEnd.subscribe(close);
  }
  return () => {
    for (const { start, asyncEnd } of channels) {
      start.unbindStore(current);
      asyncEnd.unsubscribe(close);
    }
  };
}

/** By the names of the semantic conventions; a value that is not known is left out. */
function attributesOf({ containerId, containerName, image, error }) {
  return {
    'container.runtime.name': 'hako',
    'container.id': containerId,
    'container.name': containerName,
    'container.image.name': image,
    'error.type': error?.code,
  };
}
