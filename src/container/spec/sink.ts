import type { LogSink } from '../../contracts/log-driver.ts';
import { journalFile, smallestJournal } from '../../log/journal-format.ts';
import { attributesText } from '../../log/log-service.ts';
import type { SinkRequest } from '../../native/protocol.ts';

export function sinkRequest(sink: LogSink): SinkRequest {
  if (sink.kind === 'none') return { kind: 'none' };
  if (sink.kind === 'journal') {
    const capacity = Math.max(sink.capacity, smallestJournal);
    return { kind: 'journal', file: journalFile, capacity, blocking: sink.mode === 'blocking' };
  }
  const { fileName, maxSize, maxFiles, compress, attributes } = sink;
  return {
    kind: 'json-file',
    file: fileName,
    maxSize: maxSize ?? 0,
    maxFiles,
    compress,
    attributes: attributesText(attributes),
  };
}
