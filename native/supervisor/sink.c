// SPDX-License-Identifier: Apache-2.0
#include "sink_ops.h"

static const struct sink_ops none_ops = {0};

struct sink *sink_open(const struct sink_request *request, int directory, struct failure *failure) {
  static struct sink none = {.ops = &none_ops};
  switch (request->kind) {
  case HAKO_SINK_JSON_FILE:
    return sink_json_file_open(request, directory, failure);
  case HAKO_SINK_JOURNAL:
    return sink_journal_open(request, directory, failure);
  default: // HAKO_SINK_NONE: the request's reader lets no other through
    return &none;
  }
}

void sink_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now) {
  if (sink->ops->write)
    sink->ops->write(sink, stream, bytes, length, now);
}

void sink_end(struct sink *sink) {
  if (sink->ops->end)
    sink->ops->end(sink);
}

bool sink_is_blocked(const struct sink *sink) {
  return sink->ops->is_blocked && sink->ops->is_blocked(sink);
}

void sink_retry(struct sink *sink) {
  if (sink->ops->retry)
    sink->ops->retry(sink);
}

struct sink_counts sink_counts(const struct sink *sink) {
  return sink->ops->counts ? sink->ops->counts(sink) : (struct sink_counts){0};
}

bool sink_take_rotated(struct sink *sink) {
  return sink->ops->take_rotated && sink->ops->take_rotated(sink);
}

void sink_trim(struct sink *sink) {
  if (sink->ops->trim)
    sink->ops->trim(sink);
}

void sink_close(struct sink *sink, bool unused) {
  if (sink->ops->close)
    sink->ops->close(sink, unused);
}
