import { goJson } from '../../base/go-json.ts';
import type { LogSink } from '../../contracts/log-driver.ts';
import type { SinkRequest } from '../../native/protocol.ts';

export function sinkRequest(sink: LogSink): SinkRequest {
  if (sink.kind === 'none') return { kind: 'none' };
  const { fileName, maxSize, maxFiles, compress, attributes } = sink;
  return {
    kind: 'json-file',
    file: fileName,
    maxSize: maxSize ?? 0,
    maxFiles,
    compress,
    attributes: Object.keys(attributes).length === 0 ? '' : goJson(attributes),
  };
}
